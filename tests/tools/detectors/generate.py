"""Labelled texts as JSON lines, each with what presidio's pattern recognisers find in it.

`make check-detectors` runs it, and has the detectors measured. Seeds are fixed and versions pinned: the texts are the same each time.
Each line: {"text", "labels": [[kind, start, end]], "theirs": [[kind, start, end, score]]}; offsets are bytes of UTF-8.
"""

import base64
import datetime
import hashlib
import ipaddress
import json
import random
import string
import sys
import uuid

import tldextract
from Crypto.Hash import keccak
from faker import Faker
from presidio_analyzer import predefined_recognizers as known

# The list of top-level domains that it brings, and no newer one from the network.
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

SEED = 20240229
# Dates and times up to this day, and not up to the day on which it runs.
END = datetime.datetime(2024, 2, 29)
COUNT = 600
rng = random.Random(SEED)
LOCALES = ["en_US", "en_GB", "de_DE", "fr_FR"]
fakes = {locale: Faker(locale) for locale in LOCALES + ["nl_NL", "it_IT", "es_ES", "pl_PL", "pt_PT", "no_NO", "fi_FI"]}
for number, fake in enumerate(fakes.values()):
    fake.seed_instance(SEED + number)


def some(letters, count):
    return "".join(rng.choice(letters) for _ in range(count))


ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"

# What is labelled.


def email():
    fake = fakes[rng.choice(LOCALES)]
    address = rng.choice([fake.email, fake.company_email, fake.free_email, fake.ascii_email])()
    form = rng.randrange(8)
    if form == 0:
        return address.replace("@", "+" + fake.word() + "@") if address.isascii() else fake.ascii_email()
    if form == 1:
        return address.upper() if address.isascii() else fake.ascii_email()
    return address if address.isascii() else fake.ascii_safe_email()


def phone():
    return fakes[rng.choice(LOCALES)].phone_number()


def card():
    number = fakes["en_US"].credit_card_number()
    form = rng.randrange(3)
    if form == 0 or len(number) not in (15, 16):
        return number
    sizes = [4, 6, 5] if len(number) == 15 else [4, 4, 4, 4]
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at:at + size])
        at += size
    return (" " if form == 1 else "-").join(parts)


def iban():
    fake = fakes[rng.choice(["en_GB", "de_DE", "fr_FR", "nl_NL", "it_IT", "es_ES", "pl_PL", "pt_PT", "no_NO", "fi_FI"])]
    number = fake.iban()
    if rng.random() < 0.5:
        return " ".join(number[at:at + 4] for at in range(0, len(number), 4))
    return number.lower() if rng.random() < 0.1 else number


def us_ssn():
    number = fakes["en_US"].ssn()
    return number.replace("-", " ") if rng.random() < 0.2 else number


def uk_nino():
    while True:
        prefix = rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ")
        if prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
            break
    pairs = [some(string.digits, 2) for _ in range(3)]
    suffix = rng.choice("ABCD")
    form = rng.randrange(3)
    if form == 0:
        return prefix + "".join(pairs) + suffix
    if form == 1:
        return " ".join([prefix, *pairs, suffix])
    return f"{prefix} {''.join(pairs)} {suffix}"


def uk_nhs():
    while True:
        nine = rng.choice("467") + some(string.digits, 8)
        check = -sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1))) % 11
        if check < 10:
            break
    number = nine + str(check)
    return rng.choice([" ", " ", "-"]).join([number[:3], number[3:6], number[6:]])


def passport():
    form = rng.randrange(5)
    if form == 0:
        return fakes["en_US"].passport_number()
    if form == 1:
        return some(string.digits, 9)
    if form == 2:
        return rng.choice("CFGHJK") + some("CFGHJKLMNPRTVWXYZ0123456789", 3) + some(string.digits, 5)
    if form == 3:
        return rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") + str(rng.randint(1, 9)) + some(string.digits, 5) + str(rng.randint(1, 9))
    return some(string.ascii_uppercase, 2) + some(string.digits, 7)


def ipv4():
    return rng.choice([fakes["en_US"].ipv4_public, fakes["en_US"].ipv4_private])()


def ipv6():
    bits = rng.getrandbits(128) & ((1 << 112) - 1) | rng.choice([0x2001, 0x2A00, 0x2607, 0xFD12, 0xFE80]) << 112
    zeros = rng.choice([0, 0, 16, 48, 64])
    bits = bits & ~(((1 << zeros) - 1) << 16)
    address = ipaddress.IPv6Address(bits)
    return rng.choice([str(address), str(address), address.exploded, str(address).upper()])


def mac():
    address = fakes["en_US"].mac_address()
    form = rng.randrange(4)
    if form == 0:
        return address.replace(":", "-").upper()
    if form == 1:
        digits = address.replace(":", "")
        return ".".join([digits[:4], digits[4:8], digits[8:]])
    return address


def base58(data):
    letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = letters[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def bech32(version, program):
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in program)
    bits += "0" * (-len(bits) % 5)
    values = [version] + [int(bits[at:at + 5], 2) for at in range(0, len(bits), 5)]

    def polymod(values):
        total = 1
        for value in values:
            top, total = total >> 25, (total & 0x1FFFFFF) << 5 ^ value
            for at, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
                total ^= generator if top >> at & 1 else 0
        return total

    expanded = [3, 3, 0, 2, 3]
    total = polymod(expanded + values + [0] * 6) ^ (1 if version == 0 else 0x2BC830A3)
    values += [total >> 5 * (5 - at) & 31 for at in range(6)]
    return "bc1" + "".join(letters[value] for value in values)


def crypto():
    form = rng.randrange(4)
    if form < 2:
        return base58(bytes([rng.choice([0, 5])]) + rng.randbytes(20))
    version = form - 2
    return bech32(version, rng.randbytes(20 if version == 0 else 32))


def ethereum():
    digits = rng.randbytes(20).hex()
    if rng.random() < 0.4:
        return "0x" + digits
    digest = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    return "0x" + "".join(letter.upper() if int(nibble, 16) > 7 else letter for letter, nibble in zip(digits, digest))


def password():
    fake = fakes["en_US"]
    return rng.choice([
        lambda: fake.password(length=rng.randint(8, 20)).translate(str.maketrans("", "", "\"'`<>/@:?#%&,;()[]{}$*")),
        lambda: fake.word().capitalize() + str(rng.randint(10, 9999)),
        lambda: fake.word() + str(rng.randint(1970, 2024)) + rng.choice("!#"),
        lambda: some(ALNUM, rng.randint(12, 24)),
    ])()


def url_credentials():
    return f"{fakes['en_US'].user_name()}:{password().rstrip('!#')}"


def jwt():
    def part(value):
        data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    header = rng.choice([{"alg": "HS256", "typ": "JWT"}, {"kid": some(ALNUM, 8), "alg": "RS256"}])
    return ".".join([part(header), part({"sub": some(string.digits, 10), "iat": 1700000000}), part(rng.randbytes(rng.choice([32, 64, 256])))])


def api_key():
    return rng.choice([
        lambda: "AKIA" + some(string.ascii_uppercase + "234567", 16),
        lambda: "AIza" + some(ALNUM + "-_", 34) + "x",
        lambda: rng.choice(["ghp_", "gho_", "ghs_"]) + some(ALNUM, 36),
        lambda: "github_pat_" + some(ALNUM, 22) + "_" + some(ALNUM, 59),
        lambda: "glpat-" + some(ALNUM + "-_", 19) + "x",
        lambda: f"xoxb-{some(string.digits, 12)}-{some(string.digits, 13)}-{some(ALNUM, 24)}",
        lambda: rng.choice(["sk_live_", "rk_live_"]) + some(ALNUM, rng.choice([24, 99])),
        lambda: "sk-proj-" + some(ALNUM + "-_", 74) + "T3BlbkFJ" + some(ALNUM + "-_", 73) + "x",
        lambda: "sk-" + some(ALNUM, 20) + "T3BlbkFJ" + some(ALNUM, 20),
        lambda: "sk-ant-api03-" + some(ALNUM + "-_", 93) + "AA",
        lambda: "hf_" + some(ALNUM, 34),
        lambda: "gsk_" + some(ALNUM, 52),
        lambda: "xai-" + some(ALNUM, 80),
        lambda: "SG." + some(ALNUM, 22) + "." + some(ALNUM, 43),
        lambda: "SK" + some(HEX, 32),
        lambda: "npm_" + some(ALNUM, 36),
        lambda: "dop_v1_" + some(HEX, 64),
        lambda: "dapi" + some(HEX, 32),
        lambda: "shpat_" + some(HEX, 32),
        lambda: some(string.digits, 10) + ":AA" + some(ALNUM + "-_", 32) + "x",
    ])()


def private_key():
    label = rng.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
    body = base64.b64encode(rng.randbytes(rng.choice([121, 600, 1200]))).decode()
    lines = [body[at:at + 64] for at in range(0, len(body), 64)]
    newline = rng.choice(["\n", "\n", "\\n"])
    return newline.join([f"-----BEGIN {label}PRIVATE KEY-----", *lines, f"-----END {label}PRIVATE KEY-----"])


def token():
    return rng.choice([
        lambda: some(HEX, rng.choice([32, 40, 64])),
        lambda: some(ALNUM, rng.choice([20, 32, 43])),
        lambda: base64.b64encode(rng.randbytes(24)).decode(),
        lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    ])()


# Where it stands: prose, chat, JSON, logs, code, tables.

ANY = [
    "{}",
    "Please use {} from now on.",
    "hi!! so its {} ok? thx",
    "We received {} yesterday; it was confirmed by {name}.",
    "The customer wrote: \"{}\" and nothing else.",
    "{{\"id\": {integer}, \"value\": \"{}\", \"ok\": true}}",
    "{{\"messages\":[{{\"role\":\"user\",\"content\":\"Look at {} please\"}}]}}",
    "{date} {time} INFO worker-{small}: handled value={} in {small}ms",
    "[{date}T{time}Z] user={name} val={} status=200",
    "value = '{}'  # set on {date}",
    "const v = \"{}\"; // see #{small}",
    "{name},{},{date}",
    "| {name} | {} | {small} |",
    "- {}\n- something else\n",
    "({})",
    "Könnten Sie bitte {} prüfen? Danke!",
    "Voici : {}.",
    "<td>{}</td>",
]

OWN = {
    "email": ["Contact: {name} <{}>", "mailto:{}", "To: {}\nSubject: hello", "user.email = '{}'", "E-Mail: {}"],
    "phone": ["Call me at {}", "Phone: {}", "Tel. {}", "{{\"phone\": \"{}\"}}", "{{\"phone_number\":\"{}\"}}", "my cell is {}, text me",
              "Mobile: {}", "Telefon: {}", "Fax {}"],
    "card": ["My card number is {}, expires 12/27.", "Visa {}", "charge(card=\"{}\")", "Kreditkarte {}"],
    "iban": ["IBAN: {}", "IBAN {} BIC COBADEFFXXX", "Bitte auf {} überweisen", "iban={}"],
    "us_ssn": ["SSN: {}", "my social security number is {}", "{{\"ssn\":\"{}\"}}"],
    "uk_nino": ["NI number: {}", "NINO {}", "National Insurance: {}"],
    "uk_nhs": ["NHS number: {}", "NHS No. {}", "Patient {} was seen", "{{\"nhs_number\":\"{}\"}}"],
    "ipv4": ["ping {}", "http://{}/admin", "{}:8080", "client {} connected", "{} - - [{date}] \"GET / HTTP/1.1\" 200"],
    "ipv6": ["ping6 {}", "http://[{}]:8080/", "inet6 {}/64 scope global", "client {} connected"],
    "mac": ["ether {} txqueuelen 1000", "MAC: {}", "device {} joined"],
    "crypto": ["BTC: {}", "send it to {}", "bitcoin:{}?amount=0.1"],
    "ethereum": ["ETH: {}", "send it to {}", "https://etherscan.io/address/{}"],
}

ONLY = {
    "passport": ["Passport number: {}", "passport no. {}", "my passport is {}", "{{\"passport\":\"{}\"}}", "{{\"passport_number\": \"{}\"}}",
                 "Passport {} issued {date}", "Reisepass {}", "passport #{}", "US passport: {}", "his passport number is {}, I think"],
    "url_credentials": ["postgres://{}@db.example.com:5432/app", "git clone https://{}@git.example.com/a/b.git",
                        "REDIS_URL=redis://{}@cache:6379/0", "{{\"url\": \"https://{}@example.com/x\"}}", "amqp://{}@mq/%2f"],
    "password": ["password: {}", "my password is {}", "{{\"user\":\"x\",\"password\":\"{}\"}}", "DB_PASSWORD={}", "<password>{}</password>",
                 "password = '{}'", "mysql --password {}", "Server=db;Password={};Encrypt=yes"],
    "token": ["api_key = \"{}\"", "client_secret={}", "Authorization: Bearer {}", "X-Api-Key: {}", "{{\"token\":\"{}\"}}", "SECRET_KEY={}",
              "auth_token: {}", "apiKey: '{}',"],
}

KINDS = {
    "email": email, "phone": phone, "card": card, "iban": iban, "us_ssn": us_ssn, "uk_nino": uk_nino, "uk_nhs": uk_nhs,
    "passport": passport, "ipv4": ipv4, "ipv6": ipv6, "mac": mac, "crypto": crypto, "ethereum": ethereum, "url_credentials": url_credentials,
    "private_key": private_key, "jwt": jwt, "api_key": api_key, "password": password, "token": token,
}
NAMES = {"ethereum": "crypto", "password": "secret", "token": "secret"}


def nothing():
    """A text without anything to find."""
    fake = fakes[rng.choice(LOCALES)]
    date = fake.date_object(END)
    number = rng.randint
    return rng.choice([
        lambda: fake.paragraph(),
        lambda: f"{date.isoformat()} {fake.time(end_datetime=END)} started {number(1, 999)} workers",
        lambda: f"due {date.strftime('%d/%m/%Y')}, paid {date.strftime('%m-%d-%Y')} or {date.strftime('%d.%m.%Y')}",
        lambda: f"version {number(0, 20)}.{number(0, 99)}.{number(0, 99)} replaces {number(0, 20)}.{number(0, 99)}",
        lambda: f"order {number(10**7, 10**8)} of customer {number(10**9, 10**10 - 1)}",
        lambda: f"id={uuid.UUID(int=rng.getrandbits(128))}",
        lambda: f"sha256:{some(HEX, 64)} and commit {some(HEX, 40)} ({some(HEX, 7)})",
        lambda: f"total {number(1, 999)},{number(100, 999)}.{number(10, 99)} USD, {number(1, 9)}.{number(100, 999)},{number(10, 99)} €",
        lambda: f"ISBN 978-{number(0, 9)}-{number(100, 999)}-{number(10000, 99999)}-{number(0, 9)}",
        lambda: f"at {number(-90, 90)}.{some(string.digits, 6)}, {number(-180, 180)}.{some(string.digits, 6)}",
        lambda: f"part AB-{number(1000, 9999)}-{some(string.ascii_uppercase, 2)}, invoice {number(2000, 2030)}-{number(100000, 999999)}",
        lambda: f"tracking 1Z{some(string.ascii_uppercase + string.digits, 16)}",
        lambda: f"use std::fmt::{fake.word().capitalize()}; let a = b::c(0x{some(HEX, 8)});",
        lambda: f"ts={number(1_500_000_000, 1_800_000_000)} ms={number(1_500_000_000_000, 1_800_000_000_000)} took {number(1, 99)}:{number(10, 59)}:{number(10, 59)}",
        lambda: f"npm i {fake.word()}@{number(0, 20)}.{number(0, 20)}.{number(0, 20)} @types/node@{number(10, 22)}.0.{number(0, 9)}",
        lambda: "def login(user: str, password: str, token: Optional[str] = None) -> bool: return check(user, password=password, token=token)",
        lambda: "password: required|min:8, secret: ${SECRET}, token = os.environ[\"TOKEN_1\"], api_key=<your-api-key-1>",
        lambda: f"The password must have {number(6, 20)} letters; the token is valid for {number(10, 99)} days. Basic authentication is off.",
        lambda: f"{{\"max_tokens\": {number(100, 9999)}, \"prompt_tokens\": {number(100, 99999)}, \"created\": {number(1_500_000_000, 1_800_000_000)}}}",
        lambda: f"color #{some(HEX, 6)}, size {number(100, 9999)}x{number(100, 9999)}, {number(10, 99)}-{number(100, 999)} pages, lot {number(100, 999)}-{number(100, 999)}",
        lambda: f"scores {', '.join(str(number(0, 100)) for _ in range(12))}",
        lambda: f"{number(1, 99)} {number(100, 999)} {number(100, 999)} inhabitants, account {number(10**11, 10**12 - 1)}, ref {number(10**8, 10**9 - 1)}",
        lambda: f"zip {number(10000, 99999)}-{number(1000, 9999)}, flight LH{number(100, 9999)}, room {number(100, 999)}, snowflake {number(10**17, 10**18 * 2)}",
        lambda: f"Mozilla/5.0 Chrome/{number(80, 120)}.0.{number(1000, 9999)}.{number(10, 199)} Safari/537.36",
    ])()


def fill(template, value):
    """The template's parts, so that the value's place is known."""
    fake = fakes["en_US"]
    before, after = template.split("{}", 1)
    fields = {
        "name": fake.last_name(), "date": fake.date(end_datetime=END), "time": fake.time(end_datetime=END), "integer": rng.randint(1, 99999), "small": rng.randint(1, 99),
    }
    before, after = before.format(**fields), after.format(**fields)
    start = len(before.encode())
    return before + value + after, start, start + len(value.encode())


def texts():
    for kind, make in KINDS.items():
        templates = ONLY.get(kind) or ANY + OWN.get(kind, []) * 3
        for _ in range(COUNT):
            text, start, end = fill(rng.choice(templates), make())
            yield text, [[NAMES.get(kind, kind), start, end, kind]]
    for _ in range(5 * COUNT):
        yield nothing(), []


# What presidio finds. Its engine takes everything that a recogniser returns unless a threshold is set.

THEIRS = {
    "email": [known.EmailRecognizer()],
    "phone": [known.PhoneRecognizer()],
    "card": [known.CreditCardRecognizer()],
    "iban": [known.IbanRecognizer()],
    "us_ssn": [known.UsSsnRecognizer()],
    "uk_nino": [known.UkNinoRecognizer()],
    "uk_nhs": [known.NhsRecognizer()],
    "passport": [known.UsPassportRecognizer(), known.UkPassportRecognizer(), known.InPassportRecognizer(), known.DePassportRecognizer()],
    "ip": [known.IpRecognizer()],
    "mac": [known.MacAddressRecognizer()],
    "crypto": [known.CryptoRecognizer()],
}


def theirs(text):
    found = []
    for kind, recognisers in THEIRS.items():
        for recogniser in recognisers:
            for result in recogniser.analyze(text, recogniser.supported_entities, None):
                start, end = len(text[:result.start].encode()), len(text[:result.end].encode())
                name = kind if kind != "ip" else "ipv6" if ":" in text[result.start:result.end] else "ipv4"
                found.append([name, start, end, result.score])
    # As its engine does: of two of a kind at one place, the one with the better score, and none within another.
    kept = []
    for one in sorted(found, key=lambda found: (-found[3], found[1] - found[2])):
        if not any(other[0] == one[0] and other[1] < one[2] and one[1] < other[2] for other in kept):
            kept.append(one)
    return kept


if __name__ == "__main__":
    for text, labels in texts():
        json.dump({"text": text, "labels": labels, "theirs": theirs(text)}, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
