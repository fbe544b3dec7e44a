//! Values as text: times, decimals and bytes, as all text formats read and write them.
//!
//! Times are written in Flink's `SQL` standard (`2020-12-30 12:13:14.123`, with a `Z` for
//! TIMESTAMP_LTZ) or in `ISO-8601` (with a `T`); both are read, whatever is configured. Fractions
//! have as many digits as they need.

use datafusion::arrow::datatypes::TimeUnit;

/// How points in time are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampStandard {
    /// `2020-12-30 12:13:14.123`.
    #[default]
    Sql,
    /// `2020-12-30T12:13:14.123`.
    Iso8601,
}

const SECONDS_PER_DAY: i64 = 86_400;

/// Units per second.
pub const fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Bytes of text that are taken from the front.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// A number of exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut number = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
        }
        self.0 = rest;
        Some(number)
    }

    fn take(&mut self, any_of: &[u8]) -> Option<u8> {
        let first = *self.0.first().filter(|byte| any_of.contains(byte))?;
        self.0 = &self.0[1..];
        Some(first)
    }

    /// Year, month and day, as days since 1970.
    fn date(&mut self) -> Option<i64> {
        let negative = self.take(b"-").is_some();
        let years = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let year = if (4..=6).contains(&years) { self.digits(years)? } else { return None };
        self.take(b"-")?;
        let month = self.digits(2)?;
        self.take(b"-")?;
        let day = self.digits(2)?;
        let year = if negative { -year } else { year };
        let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        valid.then(|| days_from_civil(year, month, day))
    }

    /// Hours, minutes, and seconds with a fraction if they are there: seconds and nanoseconds.
    fn time(&mut self) -> Option<(i64, i64)> {
        let hours = self.digits(2)?;
        self.take(b":")?;
        let minutes = self.digits(2)?;
        let seconds = if self.take(b":").is_some() { self.digits(2)? } else { 0 };
        let mut nanos = 0;
        if self.take(b".,").is_some() {
            let given = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let kept = given.min(9);
            nanos = if given > 0 { self.digits(kept)? } else { return None };
            nanos *= 10_i64.pow(9 - kept as u32);
            self.0 = &self.0[given - kept..];
        }
        let valid = hours < 24 && minutes < 60 && seconds < 60;
        valid.then_some((hours * 3600 + minutes * 60 + seconds, nanos))
    }

    /// `Z` or an offset from UTC, in seconds; none if there is neither.
    fn zone(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        if self.take(b"Zz").is_some() {
            return Some(Some(0));
        }
        let sign = if self.take(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        self.take(b":");
        let minutes = if self.0.is_empty() { 0 } else { self.digits(2)? };
        (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 3600 + minutes * 60)))
    }
}

/// Reads a point in time; with `zoned` one without a zone is taken as UTC, otherwise one with a
/// zone other than UTC is refused.
pub fn parse_timestamp(text: &str, unit: TimeUnit, zoned: bool) -> Result<i64, String> {
    let unlike = || format!("{} is no timestamp like 2020-12-30 12:13:14.123", quoted(text));
    let mut cursor = Cursor(text.trim().as_bytes());
    let days = cursor.date().ok_or_else(unlike)?;
    let (seconds, nanos) = match cursor.take(b" Tt") {
        Some(_) => cursor.time().ok_or_else(unlike)?,
        None if cursor.0.is_empty() => (0, 0),
        None => return Err(unlike()),
    };
    let zone = cursor.zone().ok_or_else(unlike)?;
    if !cursor.0.is_empty() {
        return Err(unlike());
    }
    if !zoned && zone.is_some_and(|offset| offset != 0) {
        return Err(format!("{} has a time zone, TIMESTAMP_LTZ has one too", quoted(text)));
    }
    let seconds = days * SECONDS_PER_DAY + seconds - zone.unwrap_or(0);
    let fraction = nanos / (1_000_000_000 / per_second(unit));
    let whole = seconds.checked_mul(per_second(unit)).and_then(|s| s.checked_add(fraction));
    whole.ok_or_else(|| format!("{} is out of range", quoted(text)))
}

/// Reads a date, as days since 1970.
pub fn parse_date(text: &str) -> Result<i32, String> {
    let mut cursor = Cursor(text.trim().as_bytes());
    let days = cursor.date().filter(|_| cursor.0.is_empty());
    let days = days.and_then(|days| i32::try_from(days).ok());
    days.ok_or_else(|| format!("{} is no date like 2020-12-30", quoted(text)))
}

/// Reads a time of day.
pub fn parse_time(text: &str, unit: TimeUnit) -> Result<i64, String> {
    let mut cursor = Cursor(text.trim().as_bytes());
    let time = cursor.time().filter(|_| cursor.0.is_empty() || cursor.0 == b"Z");
    let (seconds, nanos) =
        time.ok_or_else(|| format!("{} is no time like 12:13:14.123", quoted(text)))?;
    Ok(seconds * per_second(unit) + nanos / (1_000_000_000 / per_second(unit)))
}

/// Reads a decimal of so many digits, of which `scale` are behind the point; what is beyond is
/// rounded, halves away from zero.
pub fn parse_decimal(text: &str, precision: u8, scale: i8) -> Result<i128, String> {
    let unlike = || format!("{} is no number", quoted(text));
    let too_large = || format!("{} does not fit DECIMAL({precision}, {scale})", quoted(text));
    let text_bytes = text.trim().as_bytes();
    let (mantissa, exponent) = match text_bytes.iter().position(|b| matches!(b, b'e' | b'E')) {
        None => (text_bytes, 0),
        Some(at) => {
            let exponent = std::str::from_utf8(&text_bytes[at + 1..]).ok();
            let exponent = exponent.and_then(|e| e.parse::<i32>().ok()).ok_or_else(unlike)?;
            (&text_bytes[..at], exponent)
        }
    };
    let (negative, mantissa) = match mantissa.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, mantissa),
    };
    let point = mantissa.iter().position(|&b| b == b'.').unwrap_or(mantissa.len());
    let digits = mantissa.iter().filter(|&&b| b != b'.');
    if digits.clone().any(|b| !b.is_ascii_digit())
        || digits.clone().count() == 0
        || mantissa.iter().filter(|&&b| b == b'.').count() > 1
    {
        return Err(unlike());
    }
    // How many of the digits are kept.
    let kept = i64::try_from(point).map_err(|_| unlike())? + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    let mut round_up = false;
    for (place, digit) in (0_i64..).zip(digits) {
        let digit = digit - b'0';
        if place >= kept {
            round_up = place == kept && digit >= 5;
            break;
        }
        let more = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit)));
        value = more.ok_or_else(too_large)?;
    }
    let given = i64::try_from(mantissa.iter().filter(|&&b| b != b'.').count()).unwrap_or(0);
    if value != 0 {
        for _ in given..kept.max(given) {
            value = value.checked_mul(10).ok_or_else(too_large)?;
        }
    }
    value += i128::from(round_up);
    if value >= 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX) {
        return Err(too_large());
    }
    Ok(if negative { -value } else { value })
}

/// Writes a point in time.
pub fn write_timestamp(
    out: &mut Vec<u8>,
    value: i64,
    unit: TimeUnit,
    zoned: bool,
    standard: TimestampStandard,
) {
    let per_day = SECONDS_PER_DAY * per_second(unit);
    write_date(out, value.div_euclid(per_day));
    out.push(if standard == TimestampStandard::Sql { b' ' } else { b'T' });
    write_time(out, value.rem_euclid(per_day), unit);
    if zoned {
        out.push(b'Z');
    }
}

/// Writes a date given as days since 1970.
pub fn write_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push(b'-');
    }
    digits(out, year.unsigned_abs(), if year.unsigned_abs() > 9999 { 6 } else { 4 });
    out.push(b'-');
    digits(out, month.unsigned_abs(), 2);
    out.push(b'-');
    digits(out, day.unsigned_abs(), 2);
}

/// Writes a time of day.
pub fn write_time(out: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    let seconds = value.div_euclid(per_second(unit));
    for (i, part) in [seconds / 3600, seconds / 60 % 60, seconds % 60].into_iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        digits(out, part.unsigned_abs(), 2);
    }
    let mut fraction = value.rem_euclid(per_second(unit)).unsigned_abs();
    if fraction > 0 {
        let mut width = per_second(unit).ilog10() as usize;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        out.push(b'.');
        digits(out, fraction, width);
    }
}

/// Writes a decimal, without an exponent.
pub fn write_decimal(out: &mut Vec<u8>, value: i128, scale: i8) {
    if value < 0 {
        out.push(b'-');
    }
    let text = value.unsigned_abs().to_string();
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let (whole, fraction) = match text.len().checked_sub(scale) {
        Some(at) if at > 0 => text.split_at(at),
        _ => ("0", text.as_str()),
    };
    out.extend_from_slice(whole.as_bytes());
    out.push(b'.');
    out.resize(out.len() + scale - fraction.len(), b'0');
    out.extend_from_slice(fraction.as_bytes());
}

fn digits(out: &mut Vec<u8>, value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = value;
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as base64.
pub fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4_usize {
            let six = (bits >> (18 - 6 * i)) & 63;
            out.push(if i <= group.len() { BASE64[six as usize] } else { b'=' });
        }
    }
}

/// Reads base64.
pub fn parse_base64(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{} is no base64", quoted(text));
    let trimmed = text.trim_end_matches('=');
    let padding = text.len() - trimmed.len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) || trimmed.len() % 4 == 1 {
        return Err(wrong());
    }
    let mut bytes = Vec::with_capacity(trimmed.len() * 3 / 4);
    for group in trimmed.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let six = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return Err(wrong()),
            };
            bits = bits << 6 | u32::from(six);
        }
        bits <<= 6 * (4 - group.len()) as u32;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Ok(bytes)
}

/// The text in quotes, cut if it is long.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of the Gregorian calendar that is so many days after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn timestamps_are_read_in_both_standards() {
        let ms = |text| parse_timestamp(text, TimeUnit::Millisecond, false);
        assert_eq!(ms("1970-01-01 00:00:00"), Ok(0));
        assert_eq!(ms("2020-12-30T12:13:14.123"), Ok(1_609_330_394_123));
        assert_eq!(ms("2020-12-30 12:13:14.123456789"), Ok(1_609_330_394_123));
        assert_eq!(ms("2020-12-30 12:13"), Ok(1_609_330_380_000));
        assert_eq!(ms("2020-12-30"), Ok(1_609_286_400_000));
        assert_eq!(ms("2020-12-30 12:13:14Z"), Ok(1_609_330_394_000));
        assert_eq!(ms("1969-12-31 23:59:59.999"), Ok(-1));
        assert!(ms("2020-12-30 12:13:14+02:00").unwrap_err().contains("TIMESTAMP_LTZ"));
        for wrong in ["", "2020-13-01", "2021-02-29 00:00:00", "2020-12-30 24:00:00", "1609330394"]
        {
            assert!(ms(wrong).unwrap_err().contains("is no timestamp"), "{wrong}");
        }
        let zoned = |text| parse_timestamp(text, TimeUnit::Millisecond, true);
        assert_eq!(zoned("2020-12-30T12:13:14+02:00"), Ok(1_609_323_194_000));
        assert_eq!(zoned("2020-12-30 12:13:14"), Ok(1_609_330_394_000));
        let nanos = parse_timestamp("9999-12-31 00:00:00", TimeUnit::Nanosecond, false);
        assert!(nanos.unwrap_err().contains("out of range"));
    }

    #[test]
    fn decimals_are_exact_and_rounded_at_their_scale() {
        assert_eq!(parse_decimal("12.345", 10, 3), Ok(12_345));
        assert_eq!(parse_decimal("-12.345", 10, 2), Ok(-1_235));
        assert_eq!(parse_decimal("0.005", 10, 2), Ok(1));
        assert_eq!(parse_decimal("1.5e3", 10, 0), Ok(1_500));
        assert_eq!(parse_decimal("15e-1", 10, 1), Ok(15));
        assert_eq!(parse_decimal(".5", 10, 1), Ok(5));
        assert_eq!(parse_decimal("0.00000001", 10, 2), Ok(0));
        assert_eq!(
            parse_decimal("99999999999999999999999999999999999999", 38, 0),
            Ok(10_i128.pow(38) - 1)
        );
        assert!(parse_decimal("100", 2, 0).unwrap_err().contains("DECIMAL(2, 0)"));
        assert!(parse_decimal("99.99", 3, 1).is_err());
        assert!(parse_decimal("1e99", 38, 0).is_err());
        for wrong in ["", ".", "-", "1.2.3", "abc", "1e", "0x1"] {
            assert!(parse_decimal(wrong, 10, 2).unwrap_err().contains("is no number"), "{wrong}");
        }
        assert_eq!(shown(|out| write_decimal(out, -5, 2)), "-0.05");
        assert_eq!(shown(|out| write_decimal(out, 12_345, 3)), "12.345");
        assert_eq!(shown(|out| write_decimal(out, 100, 0)), "100");
    }

    #[test]
    fn bytes_are_base64() {
        let all = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (bytes, text) in all {
            assert_eq!(shown(|out| write_base64(out, bytes.as_bytes())), text);
            assert_eq!(parse_base64(text), Ok(bytes.as_bytes().to_vec()));
        }
        for wrong in ["Zg=", "Z", "Zm9v!", "Zm9vY==="] {
            assert!(parse_base64(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            value in -60_000_000_000_000_000_i64..200_000_000_000_000_000,
            decimal in any::<i64>(),
            scale in 0..10_i8,
            bytes: Vec<u8>,
        ) {
            for standard in [TimestampStandard::Sql, TimestampStandard::Iso8601] {
                let unit = TimeUnit::Microsecond;
                let text = shown(|out| write_timestamp(out, value, unit, false, standard));
                prop_assert_eq!(parse_timestamp(&text, unit, false), Ok(value));
            }
            let text = shown(|out| write_decimal(out, i128::from(decimal), scale));
            prop_assert_eq!(parse_decimal(&text, 38, scale), Ok(i128::from(decimal)));
            let text = shown(|out| write_base64(out, &bytes));
            prop_assert_eq!(parse_base64(&text), Ok(bytes));
        }
    }
}
