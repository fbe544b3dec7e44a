//! Java's date patterns (`yyyy-MM-dd HH:mm:ss.SSS`), compiled once.
//!
//! The letters are those that `SimpleDateFormat` and `DateTimeFormatter` have in common, which is
//! what published queries use, and the latter's optional sections in brackets. Letters that depend
//! on a locale (`w`, `W`, `Y`, `e`) are refused.

use super::civil::{Date, Local};
use super::zone::{format_offset, parse_offset};

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Field(char, usize),
    Optional(Vec<Part>),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Pattern {
    /// Compiles a pattern; the error is a sentence.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let fail = |what: String| Err(format!("date pattern '{pattern}': {what}"));
        let mut open: Vec<Vec<Part>> = vec![Vec::new()];
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            let Some(parts) = open.last_mut() else { break };
            match c {
                '\'' => {
                    let mut literal = String::new();
                    loop {
                        match chars.next() {
                            Some('\'') if chars.peek() == Some(&'\'') => {
                                chars.next();
                                literal.push('\'');
                            }
                            Some('\'') => break,
                            Some(c) => literal.push(c),
                            None => return fail("a quote is not closed".into()),
                        }
                    }
                    parts.push(Part::Literal(if literal.is_empty() {
                        "'".into()
                    } else {
                        literal
                    }));
                }
                '[' => open.push(Vec::new()),
                ']' => {
                    let section = open.pop().unwrap_or_default();
                    match open.last_mut() {
                        Some(parts) => parts.push(Part::Optional(section)),
                        None => return fail("']' closes no '['".into()),
                    }
                }
                c if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    if !"GyuMLdDHhKkmsSnAaEQqzZXx".contains(c) {
                        let why =
                            if "wWYeF".contains(c) { "depends on a locale" } else { "is none" };
                        return fail(format!("the letter {c} {why}; quote text as in 'T'"));
                    }
                    parts.push(Part::Field(c, count));
                }
                c => match parts.last_mut() {
                    Some(Part::Literal(literal)) => literal.push(c),
                    _ => parts.push(Part::Literal(c.into())),
                },
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(parts), true) => Ok(Pattern { parts }),
            _ => fail("a '[' is not closed".into()),
        }
    }

    /// For how many seconds from a round time on the pattern shows the same; none: it shows parts
    /// of a second.
    pub(crate) fn seconds(&self) -> Option<i64> {
        finest(&self.parts)
    }

    /// Appends what the clock shows; `offset` is how many seconds it is ahead of UTC.
    pub(crate) fn format(&self, time: Local, offset: i64, out: &mut String) {
        format_parts(&self.parts, time, offset, out);
    }

    /// What the clock shows in a text, and its offset from UTC where the text says it. A strict
    /// pattern wants as many digits as letters and no more text; a lenient one is as
    /// `SimpleDateFormat` is about both.
    pub(crate) fn parse(&self, text: &str, lenient: bool) -> Option<(Local, Option<i64>)> {
        let mut fields = Fields { lenient, ..Fields::default() };
        let rest = parse_parts(&self.parts, text, &mut fields)?;
        if !rest.is_empty() && !lenient {
            return None;
        }
        Some((fields.resolve()?, fields.offset))
    }
}

fn finest(parts: &[Part]) -> Option<i64> {
    let mut seconds = 86_400;
    for part in parts {
        let of = match part {
            Part::Literal(_) => continue,
            Part::Optional(section) => finest(section)?,
            Part::Field('S' | 'n' | 'A', _) => return None,
            Part::Field('s', _) => 1,
            Part::Field('m', _) => 60,
            Part::Field('H' | 'k' | 'K' | 'h' | 'a', _) => 3_600,
            Part::Field(..) => 86_400,
        };
        seconds = seconds.min(of);
    }
    Some(seconds)
}

fn number(out: &mut String, value: i64, width: usize) {
    use std::fmt::Write;
    // writing to a string can't fail
    let _ = write!(out, "{value:0width$}");
}

fn format_parts(parts: &[Part], time: Local, offset: i64, out: &mut String) {
    for part in parts {
        match part {
            Part::Literal(literal) => out.push_str(literal),
            Part::Optional(section) => format_parts(section, time, offset, out),
            Part::Field(letter, count) => format_field(*letter, *count, time, offset, out),
        }
    }
}

fn format_field(letter: char, count: usize, time: Local, offset: i64, out: &mut String) {
    let name = |names: &[&str], index: i64, out: &mut String| {
        let name = names.get(index as usize).copied().unwrap_or_default();
        out.push_str(if count == 4 { name } else { name.get(..3).unwrap_or(name) });
    };
    match letter {
        'G' => out.push_str(if time.date().year > 0 { "AD" } else { "BC" }),
        'y' | 'u' => {
            let year = time.date().year;
            let year = if letter == 'y' && year <= 0 { 1 - year } else { year };
            if count == 2 {
                number(out, year.rem_euclid(100), 2);
            } else {
                number(out, year, count);
            }
        }
        'M' | 'L' if count < 3 => number(out, time.date().month, count),
        'M' | 'L' => name(&MONTHS, time.date().month - 1, out),
        'd' => number(out, time.date().day, count),
        'D' => number(out, time.date().day_of_year(), count),
        'H' => number(out, time.hour(), count),
        'k' => number(out, (time.hour() + 23) % 24 + 1, count),
        'K' => number(out, time.hour() % 12, count),
        'h' => number(out, (time.hour() + 11) % 12 + 1, count),
        'm' => number(out, time.minute(), count),
        's' => number(out, time.second(), count),
        'S' => {
            let digits = format!("{:09}", time.nanos);
            out.push_str(&digits[..count.min(9)]);
            out.extend(std::iter::repeat_n('0', count.saturating_sub(9)));
        }
        'n' => number(out, time.nanos, count),
        'A' => number(out, time.second_of_day() * 1_000 + time.nanos / 1_000_000, count),
        'a' => out.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
        'E' => name(&WEEKDAYS, time.date().iso_weekday() - 1, out),
        'Q' | 'q' if count < 3 => number(out, time.date().quarter(), count),
        'Q' | 'q' => out.push_str(&format!("Q{}", time.date().quarter())),
        'z' if offset == 0 => out.push_str("UTC"),
        'z' => out.push_str(&format!("GMT{}", format_offset(offset, true))),
        'Z' => out.push_str(&format_offset(offset, false)),
        'X' if offset == 0 => out.push('Z'),
        _ => match (count, format_offset(offset, count == 3)) {
            (1, text) if text.ends_with("00") => out.push_str(&text[..3]),
            (_, text) => out.push_str(&text),
        },
    }
}

#[derive(Default)]
struct Fields {
    lenient: bool,
    before_christ: bool,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_day_hour: Option<i64>,
    afternoon: bool,
    minute: i64,
    second: i64,
    nanos: i64,
    offset: Option<i64>,
}

impl Fields {
    fn resolve(&self) -> Option<Local> {
        let year = self.year.unwrap_or(1970);
        let year = if self.before_christ { 1 - year } else { year };
        let date = match self.day_of_year {
            Some(day) => {
                let date = Date::of_days(Date::checked(year, 1, 1)?.days() + day - 1);
                (date.year == year && day > 0).then_some(date)?
            }
            None => Date::checked(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let afternoon = if self.afternoon { 12 } else { 0 };
        let hour = self.hour.or(self.half_day_hour.map(|hour| hour % 12 + afternoon)).unwrap_or(0);
        let there = (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second);
        let seconds = hour * 3_600 + self.minute * 60 + self.second;
        let midnight = Local::midnight(date).seconds;
        there.then_some(Local { seconds: midnight + seconds, nanos: self.nanos })
    }
}

fn is_number(part: Option<&Part>) -> bool {
    match part {
        Some(Part::Field('M' | 'L' | 'Q' | 'q', count)) => *count < 3,
        Some(Part::Field(letter, _)) => "yudDHhKkmsSnA".contains(*letter),
        _ => false,
    }
}

fn parse_parts<'a>(parts: &[Part], text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let mut rest = text;
    for (i, part) in parts.iter().enumerate() {
        rest = match part {
            Part::Literal(literal) => rest.strip_prefix(literal.as_str())?,
            Part::Optional(section) => parse_parts(section, rest, fields).unwrap_or(rest),
            Part::Field(letter, count) if is_number(Some(part)) => {
                // digits that follow on digits are counted
                let (least, most) = match (is_number(parts.get(i + 1)), *letter, *count) {
                    (true, _, count) => (count, count),
                    (false, 'y' | 'u', 2) => (2, if fields.lenient { 10 } else { 2 }),
                    (false, 'y' | 'u', count) => (if fields.lenient { 1 } else { count }, 10),
                    (false, 'S' | 'n' | 'A', 1) => (1, 9),
                    (false, 'S' | 'n' | 'A', count) if !fields.lenient => (count, count),
                    (false, 'S' | 'n' | 'A', _) => (1, 9),
                    (false, _, count) if count > 1 && !fields.lenient => (count, count),
                    (false, 'D', _) => (1, 3),
                    (false, ..) => (1, 2),
                };
                let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
                if digits < least {
                    return None;
                }
                let (digits, behind) = rest.split_at(digits);
                set(*letter, *count, digits, fields)?;
                behind
            }
            Part::Field(letter, count) => parse_name(*letter, *count, rest, fields)?,
        };
    }
    Some(rest)
}

fn set(letter: char, count: usize, digits: &str, fields: &mut Fields) -> Option<()> {
    let value: i64 = digits.parse().ok()?;
    match letter {
        'y' | 'u' if count == 2 && digits.len() == 2 => fields.year = Some(2_000 + value),
        'y' | 'u' => fields.year = Some(value),
        'M' | 'L' => fields.month = Some(value),
        'd' => fields.day = Some(value),
        'D' => fields.day_of_year = Some(value),
        'H' => fields.hour = Some(value),
        'k' => fields.hour = Some(value % 24),
        'h' | 'K' => fields.half_day_hour = Some(value),
        'm' => fields.minute = value,
        's' => fields.second = value,
        'S' => fields.nanos = format!("{digits:0<9}").parse().ok()?,
        'n' => fields.nanos = value,
        _ => {}
    }
    Some(())
}

fn parse_name<'a>(
    letter: char,
    count: usize,
    text: &'a str,
    fields: &mut Fields,
) -> Option<&'a str> {
    let starts =
        |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let named = |names: &[&'static str]| {
        let whole = names.iter().position(|name| starts(name)).map(|i| (i, names[i].len()));
        whole.or_else(|| names.iter().position(|name| starts(&name[..3])).map(|i| (i, 3)))
    };
    match letter {
        'M' | 'L' => {
            let (month, length) = named(&MONTHS)?;
            fields.month = Some(month as i64 + 1);
            Some(&text[length..])
        }
        'E' => named(&WEEKDAYS).map(|(_, length)| &text[length..]),
        'a' => {
            fields.afternoon = starts("PM");
            (starts("AM") || starts("PM")).then(|| &text[2..])
        }
        'G' => {
            fields.before_christ = starts("BC");
            (starts("AD") || starts("BC")).then(|| &text[2..])
        }
        'z' | 'Z' | 'X' | 'x' => {
            if let Some(rest) = text.strip_prefix('Z').or_else(|| text.strip_prefix("UTC")) {
                fields.offset = Some(0);
                return Some(rest);
            }
            let text = text.strip_prefix("GMT").unwrap_or(text);
            let length = text.find(|c: char| !"+-:0123456789".contains(c)).unwrap_or(text.len());
            // X alone is hours, and minutes where they are there
            fields.offset = Some(parse_offset(&text[..length]).filter(|_| count <= 5)?);
            Some(&text[length..])
        }
        _ => None,
    }
}
