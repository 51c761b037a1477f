//! Numbers without a country's code, in the shapes they are written in at home.

/// How far a number reaches that begins `text`. Where a word says what it is, it needs no shape.
pub fn number(text: &[u8], named: bool) -> Option<usize> {
    american(text).or_else(|| with_zero(text)).or_else(|| if named { bare(text) } else { None })
}

/// Three digits of an area, three of an exchange, four of a line: neither of the first begins with 0 or 1 or ends with 11.
pub fn is_american(digits: &[u8]) -> bool {
    match digits {
        [area, middle, last, exchange, second, third, _, _, _, _] => {
            *area > 1 && *exchange > 1 && (*middle, *last) != (1, 1) && (*second, *third) != (1, 1)
        }
        _ => false,
    }
}

/// `(415) 555-2671`, `415-555-2671`, `415.555.2671`, `1 415 555 2671`.
fn american(text: &[u8]) -> Option<usize> {
    let rest = match text {
        [b'1', b' ' | b'-' | b'.', rest @ ..] => rest,
        _ => text,
    };
    let (area, between, rest) = match rest {
        [b'(', a, b, c, b')', b' ' | b'-', rest @ ..] | [b'(', a, b, c, b')', rest @ ..] => ([*a, *b, *c], None, rest),
        [a, b, c, between @ (b' ' | b'-' | b'.' | b'/'), rest @ ..] => ([*a, *b, *c], Some(*between), rest),
        _ => return None,
    };
    let ([d, e, f, second, g, h, i, j], rest) = rest.split_first_chunk::<8>()?;
    let regular = match between {
        // Berkeley's 510/555-2671.
        Some(b'/') => *second == b'-',
        Some(between) => *second == between,
        None => matches!(second, b' ' | b'-' | b'.'),
    };
    let digits = [area[0], area[1], area[2], *d, *e, *f, *g, *h, *i, *j].map(|byte| byte.wrapping_sub(b'0'));
    let whole = digits.iter().all(|digit| *digit < 10) && !rest.first().is_some_and(u8::is_ascii_digit);
    if regular && whole && is_american(&digits) { text.len().checked_sub(rest.len()) } else { None }
}

/// A zero, an area, and the rest in groups.
#[derive(Default)]
struct Grouped {
    sizes: [usize; 6],
    separators: [u8; 6],
    groups: usize,
    digits: usize,
    /// The second digit: what tells a country's kinds of numbers.
    second: u8,
}

/// `020 7946 0958`, `(0161) 496 0000`, `07700 900123`, `01 23 45 67 89`, `030/1234567`, `0151 23456789`, `0151-2345678`.
fn with_zero(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"(").unwrap_or(text);
    if inner.first() != Some(&b'0') {
        return None;
    }
    let mut grouped = Grouped { second: *inner.get(1)?, ..Grouped::default() };
    let mut end = None;
    let mut at = text.len().checked_sub(inner.len())?;
    loop {
        let size = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if size == 0 {
            break;
        }
        let Some(place) = grouped.sizes.get_mut(grouped.groups) else { break };
        *place = size;
        grouped.groups = grouped.groups.checked_add(1)?;
        grouped.digits = grouped.digits.checked_add(size)?;
        at = at.checked_add(size)?;
        if is_national(&grouped) && (grouped.groups > 1 || inner.len() == text.len()) {
            end = Some(at);
        }
        let between =
            text.get(at..)?.iter().take_while(|byte| matches!(byte, b' ' | b'-' | b'.' | b'/' | b')')).count();
        let separator = text.get(at..at.checked_add(between)?)?;
        let Some(place) = grouped.separators.get_mut(grouped.groups.checked_sub(1)?) else { break };
        // A bracket before the area ends behind it.
        let closes = separator.first() == Some(&b')');
        if closes != (grouped.groups == 1 && inner.len() < text.len()) {
            break;
        }
        *place = match separator {
            [one] => *one,
            b" / " | b" /" | b"/ " => b'/',
            b" - " => b'-',
            b") " | b")-" => b')',
            _ => break,
        };
        at = at.checked_add(between)?;
    }
    end
}

fn is_national(grouped: &Grouped) -> bool {
    let sizes = grouped.sizes.get(..grouped.groups).unwrap_or_default();
    let separators = grouped.separators.get(..grouped.groups.saturating_sub(1)).unwrap_or_default();
    if grouped.second == b'0' {
        return false;
    }
    match (sizes, separators) {
        // Mobile numbers, written without a blank: Britain has 07 and eleven digits, France 06 and 07 and ten, Germany 015 to 017.
        ([10], _) => matches!(grouped.second, b'6' | b'7'),
        ([11], _) => matches!(grouped.second, b'7' | b'1'),
        ([12], _) => grouped.second == b'1',
        // France: five pairs.
        ([2, 2, 2, 2, 2], [first, rest @ ..]) => {
            matches!(first, b' ' | b'.' | b'-') && rest.iter().all(|other| other == first)
        }
        // A postal code of America's east: the address of the Free Software Foundation stands in millions of files.
        ([5, 4], [b'-']) => false,
        // Not dates, whose first group has two digits, not the American number for social security, and not groups of fours.
        ([3..=6, rest @ ..], [first, more @ ..]) if !rest.is_empty() && sizes != [3, 2, 4] && sizes != [4, 4, 4] => {
            let area = matches!(first, b' ' | b'-' | b'/' | b')');
            // Behind the area stands one kind of separator; a German extension has a dash.
            let regular = more.iter().all(|other| matches!(other, b' ' | b'-')) && rest.len() <= 4;
            let long = rest.iter().all(|size| (2..=8).contains(size));
            area && regular && long && (9..=12).contains(&grouped.digits)
        }
        _ => false,
    }
}

/// Digits in a row behind a word that says what they are, or a line of seven: `555-2671`.
fn bare(text: &[u8]) -> Option<usize> {
    let size = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match size {
        3 => {
            let ([_, _, _, b' ' | b'-' | b'.', line @ ..], rest) = text.split_first_chunk::<8>()? else { return None };
            let whole = line.iter().all(u8::is_ascii_digit) && !rest.first().is_some_and(u8::is_ascii_digit);
            (whole && text.first().is_some_and(|byte| *byte > b'1')).then_some(8)
        }
        8..=12 => Some(size),
        _ => None,
    }
}
