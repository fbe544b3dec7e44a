//! Decimals: an unscaled two's-complement number in big-endian bytes, and its text.

/// `-12.30` for the bytes of -1230 at scale 2.
pub(super) fn to_text(bytes: &[u8], scale: u32) -> Result<String, String> {
    if bytes.len() > 16 {
        return Err(format!("a decimal of {} bytes, 16 are supported", bytes.len()));
    }
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut full = [if negative { 0xff } else { 0 }; 16];
    full[16 - bytes.len()..].copy_from_slice(bytes);
    let unscaled = i128::from_be_bytes(full);
    let width = scale as usize + 1;
    let digits = format!("{:0width$}", unscaled.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let sign = if unscaled < 0 { "-" } else { "" };
    Ok(match fraction.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{fraction}"),
    })
}

/// The shortest bytes of a number, or exactly `size` of them.
pub(super) fn from_text(text: &str, size: Option<usize>, scale: u32) -> Result<Vec<u8>, String> {
    let wrong = || format!("{text:?} is no decimal with {scale} digits after the point");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = (scale as usize).checked_sub(fraction.len()).ok_or_else(wrong)?;
    let is_digit = |byte: u8| byte.is_ascii_digit();
    if !text.bytes().any(is_digit) || !fraction.bytes().all(is_digit) {
        return Err(wrong());
    }
    let digits = format!("{whole}{fraction}{}", "0".repeat(missing));
    let bytes = digits.parse::<i128>().map_err(|_| wrong())?.to_be_bytes();
    let sign = bytes[0] & 0x80;
    let filler = if sign == 0 { 0 } else { 0xff };
    let redundant =
        bytes.windows(2).take_while(|pair| pair[0] == filler && pair[1] & 0x80 == sign).count();
    let shortest = &bytes[redundant..];
    let size = size.unwrap_or(shortest.len());
    let padding = size
        .checked_sub(shortest.len())
        .ok_or_else(|| format!("{text:?} does not fit the {size} bytes of its decimal"))?;
    Ok([vec![filler; padding], shortest.to_vec()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_text_and_back() {
        for (text, scale, bytes) in [
            ("0", 0, &[0][..]),
            ("-0.01", 2, &[0xff]),
            ("1.28", 2, &[0, 0x80]),
            ("-1.28", 2, &[0x80]),
        ] {
            let encoded = from_text(text, None, scale).unwrap();
            assert_eq!(to_text(&encoded, scale).unwrap(), text);
            assert_eq!(encoded, bytes, "{text}");
        }
        let long = "-123456789012345678901234567890.12";
        assert_eq!(to_text(&from_text(long, Some(16), 2).unwrap(), 2).unwrap(), long);
        assert_eq!(from_text("-1.5", Some(4), 3).unwrap(), (-1500i32).to_be_bytes());
        assert_eq!(to_text(&[], 2).unwrap(), "0.00");
        for wrong in ["", "1.234", "x", "1.-2", "--1"] {
            assert!(from_text(wrong, None, 2).is_err(), "{wrong}");
        }
        assert!(from_text("300", Some(1), 0).is_err());
        assert!(to_text(&[0; 17], 0).is_err());
    }
}
