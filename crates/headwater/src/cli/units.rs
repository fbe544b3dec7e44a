//! Numbers for people: `2 412 804`, `52 kB`, `12 ms`, `201 k/s`.

use std::time::Duration;

/// A count with thin gaps between thousands: `2 412 804`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A size in decimal units: `812 B`, `52 kB`, `3.4 MB`.
pub fn bytes(n: u64) -> String {
    format!("{}B", scaled(n as f64))
}

/// A rate: `12/s`, `201 k/s`, `1.3 M/s`.
pub fn rate(per_second: f64) -> String {
    let text = scaled(per_second.max(0.0));
    format!("{}/s", text.trim_end())
}

/// A duration: `0.4 ms`, `12 ms`, `3.4 s`, `5 s`, `4 min 5 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 0.001 => format!("{:.1} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 9.95 => format!("{s:.1} s").replace(".0 ", " "),
        s if s < 119.5 => format!("{s:.0} s"),
        s => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
    }
}

fn scaled(n: f64) -> String {
    let (n, unit) = match n {
        n if n < 999.5 => return format!("{n:.0} "),
        n if n < 999_500.0 => (n / 1e3, "k"),
        n if n < 999_500_000.0 => (n / 1e6, "M"),
        n => (n / 1e9, "G"),
    };
    if n < 9.95 { format!("{n:.1} {unit}") } else { format!("{n:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let counts = [0, 999, 1_000, 2_412_804].map(count);
        assert_eq!(counts, ["0", "999", "1 000", "2 412 804"]);
        let sizes = [0, 812, 1_250, 52_000, 999_499, 999_500, 3_400_000, 7_000_000_000].map(bytes);
        let expected = ["0 B", "812 B", "1.2 kB", "52 kB", "999 kB", "1.0 MB", "3.4 MB", "7.0 GB"];
        assert_eq!(sizes, expected);
        assert_eq!([12.2, 201_000.0, 1.3e6].map(rate), ["12/s", "201 k/s", "1.3 M/s"]);
    }

    #[test]
    fn durations_are_short() {
        let of = |ms: f64| duration(Duration::from_secs_f64(ms / 1e3));
        assert_eq!([of(0.4), of(12.0), of(999.0)], ["0.4 ms", "12 ms", "999 ms"]);
        assert_eq!([of(3_400.0), of(5_000.0), of(12_000.0)], ["3.4 s", "5 s", "12 s"]);
        assert_eq!(of(245_000.0), "4 min 5 s");
    }
}
