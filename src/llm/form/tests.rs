use super::*;
use proptest::prelude::*;

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a; name=b.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\
    so\r\nund\r\n--\r\n--c\r\n--b \t\r\ncontent-disposition: form-data; NAME=\"model\"\r\n\r\nwhisper-1\r\n--b\r\n\
    Content-Disposition: form-data; name=\"prompt\"\r\ncontent-transfer-encoding: 8bit\r\n\r\nname=\"model\"\r\n--b--\r\n";

fn read(content_type: &str, chunks: &[&[u8]]) -> (Vec<String>, Result<(), Fault>) {
    let (mut form, mut pieces) = (FormReader::new(content_type.as_bytes()).unwrap(), Vec::new());
    for chunk in chunks {
        form.feed(chunk, &mut |piece| {
            if !matches!(piece, FormPiece::Other(..)) {
                pieces.push(format!("{piece:?}"));
            }
        });
    }
    (pieces, form.finish())
}

/// Of one boundary, in one piece.
fn of(form: &[u8]) -> (Vec<String>, Result<(), Fault>) {
    read("multipart/form-data; boundary=b", &[form])
}

fn pieces() -> Vec<String> {
    vec!["File(16)".to_owned(), "Field(Model, Some(\"whisper-1\"))".to_owned()]
}

#[test]
fn fields_and_files_are_the_same_wherever_the_form_is_cut() {
    let bytes = FORM.as_bytes();
    for cut in 0..bytes.len() {
        let read = read("multipart/form-data; boundary=b", &[&bytes[..cut], &bytes[cut..]]);
        assert_eq!(read, (pieces(), Ok(())), "{cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read("Multipart/Form-Data; charset=utf-8; boundary=\"b\"", &single), (pieces(), Ok(())));
}

#[test]
fn a_form_that_breaks_off_is_not_complete_and_a_long_field_has_no_value() {
    let end = FORM.find("--b--").unwrap() + 5;
    for cut in 0..end {
        assert_eq!(of(&FORM.as_bytes()[..cut]).1, Err(EARLY), "{cut}");
    }
    assert_eq!(of(&FORM.as_bytes()[..end]), (pieces(), Ok(())));
    let long = FORM.replace("whisper-1", &"x".repeat(600));
    assert_eq!(of(long.as_bytes()).0[1], "Field(Model, None)");
}

/// Each of these is read in two ways by servers that are in use, and one of the ways names another model.
#[test]
fn what_servers_read_in_two_ways_is_refused() {
    let field = |head: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\ndear\r\n--b\r\n");
    let cheap = "Content-Disposition: form-data; name=\"model\"\r\n\r\ncheap\r\n--b--\r\n";
    let long = format!("filename=\"{}\"; name=\"model\"", "x".repeat(5_000));
    // What is kept of this line ends like one that is over.
    let cut = format!("filename={}\r; name=\"model\"", "x".repeat(LONGEST_LINE - 41));
    assert_eq!(format!("Content-Disposition: form-data; {cut}").find('\r'), Some(LONGEST_LINE));
    for (form, fault) in [
        (field("name*=utf-8''model"), Ambiguous::Encoded.why()),
        (field("Name*0=mod; name*1=\"el\""), Ambiguous::Encoded.why()),
        (field("name=\"Model\""), Ambiguous::Letters.why()),
        (field("name=\"model[]\""), Ambiguous::Letters.why()),
        (field("name=\"n[0]\""), Ambiguous::Letters.why()),
        (field("name=\"url.x\""), Ambiguous::Letters.why()),
        (field(&format!("name=\"{}\"", "x".repeat(257))), Ambiguous::Long.why()),
        (field("name=\"model\"; name=\"x\""), Ambiguous::Twice.why()),
        (field("name=\"x\"; Name=model"), Ambiguous::Twice.why()),
        (field("name=\"x\"\r\nContent-Disposition: form-data; name=\"model\""), Ambiguous::Twice.why()),
        (field("name=\"m\\odel\""), Ambiguous::Quoted.why()),
        (field("name=\" model\""), Ambiguous::Quoted.why()),
        (field("name=\"model\x0c\""), Ambiguous::Quoted.why()),
        (field("name=\"x; name=model\""), Ambiguous::Quoted.why()),
        (field("filename=\"C:\\\"; name=\"model\""), Ambiguous::Quoted.why()),
        (field("name=\"model"), Ambiguous::Quoted.why()),
        (field("name=\"model\"x"), Ambiguous::Quoted.why()),
        (field("name=x\"; name=\"model\""), Ambiguous::Quoted.why()),
        (field("na\"\"me=\"model\""), Ambiguous::Unnamed.why()),
        (field("\"; name=\"model\""), Ambiguous::Unnamed.why()),
        (field("name=x; \""), Ambiguous::Unnamed.why()),
        (field("na\u{1}me=model"), Ambiguous::Unnamed.why()),
        ("--b\r\nContent-Disposition: name=\"model\"\r\n\r\ndear\r\n--b\r\n".to_owned(), Ambiguous::Unnamed.why()),
        (field("name=\"model\"; filename=\"\""), Ambiguous::FileOfField.why()),
        (field("name=\"x\"\r\nContent-Transfer-Encoding: base64"), Ambiguous::Encoded.why()),
        (field(&long), LINE),
        (field(&cut), LINE),
        (field("name=\"x\";\r\n name=\"model\""), LINE),
        (field("name=\"x\"\nContent-Disposition: form-data; name=\"model\""), LINE),
        (field("name=\"x\"\rContent-Disposition: form-data; name=\"model\""), LINE),
        (field("name=\"x\"\r\n\r\n\n--b\nContent-Disposition: form-data; name=\"model\"\n"), WITHIN),
        (field("name=\"x\"\r\n\r\n--b\rContent-Disposition: form-data; name=\"model\""), WITHIN),
        ("--b-\r\n".to_owned(), BEHIND),
        ("--bb\r\n".to_owned(), BEHIND),
        ("--b\n".to_owned(), BEHIND),
        ("--b \n".to_owned(), BEHIND),
        ("--b--\r\n--c\r\n".to_owned(), BEHIND),
        ("--b--x".to_owned(), BEHIND),
    ] {
        assert_eq!(of((form.clone() + cheap).as_bytes()).1, Err(fault), "{form}");
    }
    assert_eq!(
        of((field("name=\"x\"") + cheap).as_bytes()),
        (vec!["Field(Model, Some(\"cheap\"))".to_owned()], Ok(()))
    );
}

/// All of it is right by RFC 7578 and RFC 2046, and is how clients write it that are in use.
#[test]
fn each_clients_own_form_passes() {
    for (client, model, file) in [
        (
            ".NET",
            "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model",
            "Content-Type: audio/mpeg\r\nContent-Disposition: form-data; name=file; filename=call.mp3; filename*=utf-8''call.mp3",
        ),
        (
            ".NET, a name of other letters",
            "Content-Disposition: form-data; name=model",
            "Content-Disposition: form-data; name=file; filename=\"=?utf-8?B?w6QubXAz?=\"; filename*=utf-8''%C3%A4.mp3",
        ),
        (
            "OkHttp",
            "Content-Disposition: form-data; name=\"model\"\r\nContent-Length: 9",
            "Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\nContent-Length: 1",
        ),
        (
            "Apache HttpClient",
            "Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit",
            "Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary",
        ),
        (
            "curl",
            "Content-Disposition: form-data; name=\"model\"",
            "Content-Disposition: form-data; name=\"file\"; filename=\"a, b; name=c.mp3\"\r\nContent-Type: audio/mpeg",
        ),
        (
            "a browser",
            "Content-Disposition: form-data; name=\"model\"",
            "Content-Disposition: form-data; name=\"file\"; filename=\"blob\"\r\nContent-Type: audio/webm;codecs=opus",
        ),
    ] {
        let form = format!("--b-1\r\n{model}\r\n\r\nwhisper-1\r\n--b-1\r\n{file}\r\n\r\nx\r\n--b-1--\r\n");
        for content_type in ["multipart/form-data; boundary=b-1", "multipart/form-data; boundary=\"b-1\""] {
            let wanted = vec!["Field(Model, Some(\"whisper-1\"))".to_owned(), "File(1)".to_owned()];
            assert_eq!(read(content_type, &[form.as_bytes()]), (wanted, Ok(())), "{client}");
        }
    }
}

#[test]
fn only_a_form_is_a_form() {
    for content_type in [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=b",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a;b\"",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=a; boundary*=utf-8''b",
        "multipart/form-data; boundary=a; boundary*0=b",
        "multipart/form-data; boundary=a; charset*=utf-8''cp037",
    ] {
        assert!(FormReader::new(content_type.as_bytes()).is_none(), "{content_type}");
    }
}

proptest! {
    /// Whatever the content of a file, if the boundary is not in it: clients draw one until that is so.
    #[test]
    fn a_files_content_is_its_own(
        words in prop::collection::vec(prop::sample::select(vec!["-", "b", "\r", "\n", "--", "\r\n--", "BOUNDARY", "x"]), 0..12),
        boundary in "[-b]{1,4}",
        cut in any::<prop::sample::Index>(),
    ) {
        let content = words.concat().replace("BOUNDARY", &boundary);
        let form = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{content}\r\n--{boundary}--"
        );
        let bytes = form.as_bytes();
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let whole = read(&content_type, &[bytes]);
        let cut = cut.index(bytes.len());
        prop_assert_eq!(read(&content_type, &[&bytes[..cut], &bytes[cut..]]), whole.clone());
        // Also where the beginning of the boundary and the end of the content make one.
        let delimited = format!("\r\n{content}\r\n--{boundary}");
        let first = delimited.find(&format!("--{boundary}")).unwrap();
        if first + 2 + boundary.len() == delimited.len() {
            prop_assert_eq!(whole, (vec![format!("File({})", content.len())], Ok(())));
        } else {
            prop_assert!(whole.1.is_err() || delimited.as_bytes()[..first].ends_with(b"\r\n"), "{:?}", whole);
        }
    }
}
