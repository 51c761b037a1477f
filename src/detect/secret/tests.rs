use super::super::walk::{findings, finds, passes_over};
use super::*;
use proptest::prelude::*;

#[test]
fn secrets_are_found() {
    finds(
        &DETECTOR,
        &[
            "password: «hunter2!»",
            "password=«Tr0ub4dor&3»",
            "DB_PASSWORD=\"«s3cr3t-p4ss»\"",
            "{\"password\":\"«Summer2024»\",\"user\":\"jo\"}",
            "{\\\"password\\\": \\\"«Summer2024»\\\"}",
            "my password is «kX9#mP2$vL», don't tell",
            "The passphrase was: «9f8a7b6c5d»",
            "<password>«S3cr3t!x»</password>",
            "mysql --password «hunter2x»",
            "Server=db;Password=«P4ssw0rd»;Encrypt=yes",
            "?user=jo&password=«abc123xyz»&next=1",
            "api_key = '«9f86d081884c7d659a2feaa0c55ad015»'",
            "apiKey: «k3Jx9QmP2vL5nQ8r»",
            "client_secret=«GnUX8~bQ2xP4kLm9vR7tY1wZ»",
            "X-Api-Key: «a1b2c3d4e5f60718»",
            "Authorization: Bearer «b7Kq2Zx9Lm4Wp8Rt6Yv3»",
            "Authorization: Basic «dXNlcjE6cGFzczEyMw==»",
            "the token «9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b» expired",
            "auth_token: \"«550e8400-e29b-41d4-a716-446655440000»\"",
            "config['secret'] = '«zQ8xR2mK9pL4vN7w»'",
            "{\"accessToken\":\"«k3Jx9QmP2vL5nQ8rT1wZ»\",\"expires_in\":3600}",
            "dbPassword: «hunter2!x» and PGPASSWORD=«hunter2x»",
            "secretAccessKey=«q8JvR2mXfEwI/K7MDbNG4bPxRfi9CYhT3zLs0KeV»",
            "encryption key: «3q2+7w8AAQIDBAUGBwgJCg==»",
            "token: \"«QwRtKLmzPXaBvnHJdsGKfTYe»\"",
            "SECRET_KEY=«h7$kd9!sK2@lq0Zm»\\nDEBUG=1",
            "密码password:«abc123!x»。",
        ],
    );
}

#[test]
fn other_words_are_passed_over() {
    passes_over(
        &DETECTOR,
        &[
            ("password: required", "a word"),
            ("token: number", "a type"),
            ("password: String!", "a type of GraphQL"),
            ("password: required|min:8|max:64", "a rule"),
            ("password=${DB_PASSWORD}", "a variable"),
            ("password: $PASSWORD", "a variable"),
            ("password: {{ vault_password_1 }}", "a template"),
            ("password = os.environ[\"DB_PASS1\"]", "code"),
            ("token = getToken2()", "code"),
            ("token = auth_info[2]", "code"),
            ("f\"password={password!r}\"", "code"),
            ("password='wrong%d'", "a place in a string"),
            ("private_key: SSHCertPrivateKeyTypes", "a type"),
            ("password: process.env.DB_PASSWORD_2", "code"),
            ("password: ********", "taken out"),
            ("password=<your-password-1>", "a placeholder"),
            ("api_key: your_api_key_123", "a placeholder"),
            ("api_key=xxxxxxxxxxxxxxxx1", "a placeholder"),
            ("token = auth_token_v2", "a name"),
            ("secret: mySecretName2", "a name"),
            ("client_secret: getUserAuthTokenFromCache", "a name"),
            ("max_tokens: 4096", "not the word"),
            ("token: 1234567890", "a number"),
            ("the token count is 12345678", "another word between"),
            ("the token is missing", "a word"),
            ("basic understanding of authentication", "a word"),
            ("tokenizer=cl100k_base", "not the word"),
            ("PASS: test_login_2fa_flow", "what passes"),
            ("pwd: /home/user1/project", "a path"),
            ("secret: /run/secrets/db1", "a path"),
            ("token_url: https://auth2.example.com/v1", "an address"),
            ("password: 12:30:45", "a time"),
            ("Bearer token authentication", "a word"),
            ("secrets.API_KEY_1", "a name"),
            ("password: abc1", "too short"),
            ("passport: X1234567", "not the word"),
        ],
    );
}

proptest! {
    #[test]
    fn a_generated_one_is_found_whole(
        word in "password|api_key|secret|client_secret|token|API-KEY", sign in "( = |=|: |\": \"|='|=\")", value in "([a-f0-9]{32}|[A-Za-z0-9]{24}|[A-Za-z0-9_-]{40}[a-z])"
    ) {
        let turning = value::is_key(&value, 8) && !value::is_placeholder(&value);
        prop_assume!(turning);
        let quote = sign.chars().last().filter(|last| *last == '"' || *last == '\'').map(String::from).unwrap_or_default();
        let text = format!("config {word}{sign}{value}{quote} end");
        let start = 7 + word.len() + sign.len();
        prop_assert_eq!(findings(&DETECTOR, &text), vec![start..start + value.len()]);
    }

    #[test]
    fn chance_looks_like_chance(hex in "[a-f0-9]{32}", letters in "[A-Za-z0-9]{32}") {
        // One in some thousand does not.
        prop_assert!(value::is_key(&hex, 8) || value::is_key(&letters, 8));
    }

    #[test]
    fn words_do_not(words in "[a-z]{3,9}([_.-][a-z]{3,9}){0,3}[0-9]{0,2}", camel in "[a-z]{3,8}([A-Z][a-z]{3,8}){0,3}[0-9]?") {
        prop_assert!(!value::is_key(&words, 8) && !value::is_key(&camel, 8));
    }
}
