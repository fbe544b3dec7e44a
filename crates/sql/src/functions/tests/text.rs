//! Strings.

use super::{check, check_errors};

#[test]
fn parts() {
    check(&[
        ("CONCAT('AA', 'BB', 'CC')", "AABBCC"),
        ("CONCAT('AA', CAST(NULL AS STRING))", "NULL"),
        ("'a' || 'b'", "ab"),
        ("'a' || CAST(NULL AS STRING)", "NULL"),
        ("CONCAT_WS('~', 'AA', CAST(NULL AS STRING), 'BB', '', 'CC')", "AA~BB~~CC"),
        ("CONCAT_WS(CAST(NULL AS STRING), 'a', 'b')", "NULL"),
        ("SUBSTRING('hello' FROM 2)", "ello"),
        ("SUBSTRING('hello' FROM 2 FOR 3)", "ell"),
        ("SUBSTRING('hello', 2, 3)", "ell"),
        ("SUBSTR('hello', -3)", "llo"),
        ("SUBSTR('hello', -3, 2)", "ll"),
        ("SUBSTR('hello', 0, 2)", "he"),
        ("SUBSTR('hello', -9)", ""),
        ("SUBSTR('hello', 9)", ""),
        ("SUBSTR('hello', 2, -1)", "NULL"),
        ("SUBSTR('héllo wörld', 8, 2)", "ör"),
        ("SUBSTR(CAST(NULL AS STRING), 1)", "NULL"),
        ("LEFT('hello', 2)", "he"),
        ("LEFT('hello', -2)", ""),
        ("LEFT('hello', 99)", "hello"),
        ("RIGHT('hello', 2)", "lo"),
        ("RIGHT('hello', -2)", ""),
        ("RIGHT('héllo', 4)", "éllo"),
        ("LPAD('hi', 4, '??')", "??hi"),
        ("LPAD('hi', 1, '??')", "h"),
        ("LPAD('hi', 7, 'abc')", "abcabhi"),
        ("LPAD('hi', -1, '?')", "NULL"),
        ("LPAD('hi', 4, '')", "NULL"),
        ("LPAD('hi', 0, '?')", ""),
        ("RPAD('hi', 5, 'ab')", "hiaba"),
        ("RPAD('hi', 1, '??')", "h"),
        ("OVERLAY('xxxxxtest' PLACING 'xxxx' FROM 6)", "xxxxxxxxx"),
        ("OVERLAY('xxxxxtest' PLACING 'xxxx' FROM 6 FOR 2)", "xxxxxxxxxst"),
        ("OVERLAY('abc' PLACING 'x' FROM 9)", "abc"),
        ("CHR(97)", "a"),
        ("CHR(353)", "a"),
        ("CHR(-1)", ""),
        ("ASCII('abc')", "97"),
        ("ASCII(CAST(NULL AS STRING))", "NULL"),
        ("ELT(2, 'a', 'b')", "b"),
        ("ELT(3, 'a', 'b')", "NULL"),
        ("ELT(0, 'a', 'b')", "NULL"),
        ("REPEAT('ab', 2)", "abab"),
        ("REPEAT('ab', -1)", ""),
        ("REVERSE('abc')", "cba"),
        ("REPLACE('hello world', 'world', 'flink')", "hello flink"),
        ("REPLACE('ababab', 'abab', 'z')", "zab"),
        ("TRANSLATE('abcd', 'bd', 'x')", "axc"),
    ]);
    check_errors(&[("LPAD('a', 99999999999, 'b')", "function LPAD: length 99999999999 is over")]);
}

#[test]
fn case_and_trim() {
    check(&[
        ("UPPER('aBc')", "ABC"),
        ("LOWER('ÄBC')", "äbc"),
        ("INITCAP('hello wORLD')", "Hello World"),
        ("TRIM('  a ')", "a"),
        ("TRIM(BOTH 'x' FROM 'xxaxx')", "a"),
        ("TRIM(LEADING 'x' FROM 'xxaxx')", "axx"),
        ("TRIM(TRAILING 'x' FROM 'xxaxx')", "xxa"),
        ("LTRIM(' a ')", "a "),
        ("RTRIM(' a ')", " a"),
        ("BTRIM('xax', 'x')", "a"),
        ("CHAR_LENGTH('héllo')", "5"),
        ("CHARACTER_LENGTH('')", "0"),
    ]);
}

#[test]
fn positions() {
    check(&[
        ("POSITION('l' IN 'hello')", "3"),
        ("POSITION('z' IN 'hello')", "0"),
        ("POSITION('' IN 'hello')", "1"),
        ("POSITION('ö' IN 'wörd')", "2"),
        ("LOCATE('l', 'hello')", "3"),
        ("LOCATE('l', 'hello', 4)", "4"),
        ("LOCATE('l', 'hello', 5)", "0"),
        ("LOCATE('l', 'hello', 99)", "0"),
        ("LOCATE(CAST(NULL AS STRING), 'hello')", "NULL"),
        ("INSTR('Corporate Floor', 'or')", "2"),
        ("INSTR('Corporate Floor', 'or', 3, 2)", "14"),
        ("INSTR('Corporate Floor', 'or', -3, 2)", "2"),
        ("INSTR('hello', 'z')", "0"),
        ("STARTSWITH('hello', 'he')", "TRUE"),
        ("ENDSWITH('hello', 'lo')", "TRUE"),
        ("ENDSWITH('hello', '')", "TRUE"),
        ("IS_ALPHA('abc')", "TRUE"),
        ("IS_ALPHA('ab1')", "FALSE"),
        ("IS_ALPHA('')", "FALSE"),
        ("IS_ALPHA(CAST(NULL AS STRING))", "FALSE"),
        ("IS_DIGIT('123')", "TRUE"),
        ("IS_DIGIT('1.2')", "FALSE"),
        ("IS_DIGIT(12)", "TRUE"),
        ("IS_DECIMAL('1.2e3')", "TRUE"),
        ("IS_DECIMAL('-7')", "TRUE"),
        ("IS_DECIMAL('abc')", "FALSE"),
        ("IS_DECIMAL('inf')", "FALSE"),
        ("IS_DECIMAL('')", "FALSE"),
        ("IS_DECIMAL(1.5)", "TRUE"),
        ("count_char('abcabc', 'c')", "2"),
        ("count_char(CAST(NULL AS STRING), 'c')", "0"),
    ]);
    check_errors(&[("INSTR('a', 'a', 1, 0)", "argument 4 (occurrence) must be positive, got 0")]);
}

#[test]
fn splits() {
    check(&[
        ("SPLIT_INDEX('https://www.nexmark.com/a/b/item.htm?q=1', '/', 3)", "a"),
        ("SPLIT_INDEX('https://www.nexmark.com/a/b/item.htm?q=1', '/', 1)", ""),
        ("SPLIT_INDEX('a,b', ',', 2)", "NULL"),
        ("SPLIT_INDEX('a,b', ',', -1)", "NULL"),
        ("SPLIT_INDEX('a::b', '::', 1)", "b"),
        ("SPLIT_INDEX('a,b', 44, 1)", "b"),
        ("SPLIT_INDEX('a,b', 300, 0)", "NULL"),
        ("SPLIT_INDEX(CAST(NULL AS STRING), ',', 0)", "NULL"),
        ("SPLIT('a,b,', ',')", "[a, b, ]"),
        ("SPLIT('abc', '')", "[a, b, c]"),
        ("SPLIT('abc', 'x')", "[abc]"),
        ("SPLIT('abc', CAST(NULL AS STRING))", "NULL"),
        ("STR_TO_MAP('k1=v1,k2=v2')", "{k1=v1, k2=v2}"),
        ("STR_TO_MAP('k1:v1;k2: v2', ';', ':')", "{k1=v1, k2= v2}"),
        ("STR_TO_MAP('k1$$v1|k2$$v2', '\\|', '\\$\\$')", "{k1=v1, k2=v2}"),
        ("STR_TO_MAP('a=1,a=2,b')", "{a=2, b=NULL}"),
        ("STR_TO_MAP('')", "{}"),
        ("STR_TO_MAP(CAST(NULL AS STRING))", "NULL"),
    ]);
}

#[test]
fn java_regular_expressions() {
    check(&[
        ("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)', 2)", "bar"),
        ("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)', 0)", "foothebar"),
        ("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)')", "foothebar"),
        ("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)', 3)", "NULL"),
        ("REGEXP_EXTRACT('foothebar', 'x(y)', 1)", "NULL"),
        ("REGEXP_EXTRACT('ab', '(x)?b', 1)", "NULL"),
        ("REGEXP_EXTRACT('url&channel_id=7&x', '(&|^)channel_id=([^&]*)', 2)", "7"),
        ("REGEXP_EXTRACT('channel_id=apple', '(&|^)channel_id=([^&]*)', 2)", "apple"),
        ("REGEXP_EXTRACT(CAST(NULL AS STRING), 'a', 0)", "NULL"),
        ("REGEXP_EXTRACT('price 12', '(?<=price )\\d+', 0)", "12"),
        ("REGEXP_EXTRACT('aa bb', '(\\w)\\1 (\\w)\\2', 2)", "b"),
        ("REGEXP_REPLACE('foobar', 'oo|ar', '')", "fb"),
        ("REGEXP_REPLACE('a1b22', '\\d+', '$1')", "a$1b$1"),
        ("REGEXP_REPLACE('٣3', '\\d', 'x')", "٣x"),
        ("REGEXP_REPLACE('a.b', '\\Q.\\E', '-')", "a-b"),
        ("REGEXP_REPLACE('aB1', '\\p{Upper}', '_')", "a_1"),
        ("REGEXP('100-500', '(\\d+)-(\\d+)')", "TRUE"),
        ("REGEXP('abc', '^b')", "FALSE"),
        ("REGEXP('abc', '')", "FALSE"),
        ("REGEXP('abc', CAST(NULL AS STRING))", "NULL"),
        ("REGEXP_COUNT('a1b2c3', '[0-9]')", "3"),
        ("REGEXP_INSTR('héllo1', '\\d')", "6"),
        ("REGEXP_INSTR('hello', '\\d')", "0"),
        ("REGEXP_SUBSTR('abc123', '[0-9]+')", "123"),
        ("REGEXP_SUBSTR('abc', '[0-9]+')", "NULL"),
        ("REGEXP_EXTRACT_ALL('a1b2', '([a-z])([0-9])', 2)", "[1, 2]"),
        ("REGEXP_EXTRACT_ALL('a1b2', '([a-z])([0-9])')", "[a, b]"),
        ("REGEXP_EXTRACT_ALL('a1b2', '[a-z]')", "NULL"),
        ("'abc' SIMILAR TO '(a|x)b%'", "TRUE"),
        ("'abc' SIMILAR TO 'b'", "FALSE"),
        ("'a.c' NOT SIMILAR TO 'a.c'", "FALSE"),
        ("'abc' SIMILAR TO 'a.c'", "FALSE"),
        ("'hello' LIKE 'h%o'", "TRUE"),
    ]);
    check_errors(&[("REGEXP('a', '(')", "function REGEXP: '(' is not a regular expression")]);
}

#[test]
fn encodings() {
    check(&[
        ("TO_BASE64('hello world')", "aGVsbG8gd29ybGQ="),
        ("FROM_BASE64('aGVsbG8gd29ybGQ=')", "hello world"),
        ("TO_BASE64(CAST(NULL AS STRING))", "NULL"),
        ("HEX(20)", "14"),
        ("HEX('hello,world')", "68656C6C6F2C776F726C64"),
        ("HEX(-1)", "FFFFFFFFFFFFFFFF"),
        ("HEX(CAST(NULL AS INT))", "NULL"),
        ("UNHEX('414243')", "ABC"),
        ("UNHEX('zz')", "NULL"),
        ("BIN(12)", "1100"),
        ("BIN(-1)", &"1".repeat(64)),
        ("DECODE(ENCODE('héllo', 'UTF-16LE'), 'UTF-16LE')", "héllo"),
        ("HEX(ENCODE('a', 'UTF-16'))", "FEFF0061"),
        ("HEX(ENCODE('é', 'ISO-8859-1'))", "E9"),
        ("HEX(ENCODE('é', 'US-ASCII'))", "3F"),
        ("URL_ENCODE('a b&c=é*')", "a+b%26c%3D%C3%A9*"),
        ("URL_DECODE('a+b%26c%3D%C3%A9')", "a b&c=é"),
        ("URL_DECODE('%zz')", "NULL"),
        ("URL_DECODE('%4')", "NULL"),
        ("MD5('hello')", "5d41402abc4b2a76b9719d911017c592"),
        ("SHA1('hello')", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
        ("SHA256('hello')", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        ("SHA2('hello', 256)", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        ("CHAR_LENGTH(SHA224('a'))", "56"),
        ("CHAR_LENGTH(SHA384('a'))", "96"),
        ("CHAR_LENGTH(SHA512('a'))", "128"),
        ("MD5(CAST(NULL AS STRING))", "NULL"),
        ("CHAR_LENGTH(UUID())", "36"),
    ]);
    check_errors(&[
        ("ENCODE('a', 'UTF-7')", "function ENCODE: no character set 'UTF-7'; there are US-ASCII"),
        ("FROM_BASE64('*')", "function FROM_BASE64: '*' is not base64 of a string"),
        ("SHA2('a', 100)", "argument 2 (bits) must be 224, 256, 384 or 512, got 100"),
    ]);
}

#[test]
fn urls() {
    const URL: &str = "http://user:pw@facebook.com:80/path1/p.php?k1=v1&k2=v2#Ref1";
    let part = |part: &str| format!("PARSE_URL('{URL}', '{part}')");
    let cases = [
        (part("HOST"), "facebook.com"),
        (part("PATH"), "/path1/p.php"),
        (part("QUERY"), "k1=v1&k2=v2"),
        (part("REF"), "Ref1"),
        (part("PROTOCOL"), "http"),
        (part("FILE"), "/path1/p.php?k1=v1&k2=v2"),
        (part("AUTHORITY"), "user:pw@facebook.com:80"),
        (part("USERINFO"), "user:pw"),
        (part("NOTHING"), "NULL"),
        (format!("PARSE_URL('{URL}', 'QUERY', 'k2')"), "v2"),
        (format!("PARSE_URL('{URL}', 'QUERY', 'k3')"), "NULL"),
        (format!("PARSE_URL('{URL}', 'HOST', 'k2')"), "NULL"),
        ("PARSE_URL('no url', 'HOST')".into(), "NULL"),
        ("PARSE_URL('https://a.b?x=1', 'QUERY')".into(), "x=1"),
        ("PARSE_URL('http://[::1]:8080/', 'HOST')".into(), "[::1]"),
    ];
    let cases: Vec<_> = cases.iter().map(|(expr, value)| (expr.as_str(), *value)).collect();
    check(&cases);
}
