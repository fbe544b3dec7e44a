//! The types as Flink SQL writes them, read into sqlparser's.
//!
//! `ROW<…>` becomes a struct, `TIMESTAMP_LTZ(p)` a timestamp with time zone, `STRING` a string.
//! `NOT NULL` within a type is read and not kept: a field of a row may always be NULL.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, Ident, IntervalFields,
    StructBracketKind, StructField, TimezoneInfo,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token};

/// The names that begin a type, for the nearest one.
pub const TYPE_NAMES: &[&str] = &[
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "INTEGER",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "NUMERIC",
    "STRING",
    "CHAR",
    "VARCHAR",
    "BYTES",
    "BINARY",
    "VARBINARY",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "INTERVAL",
    "ARRAY",
    "MAP",
    "ROW",
];

/// How an error about a type begins that is not known.
pub(super) const UNKNOWN: &str = "unknown type";
/// How an error about a type begins that is known and not supported.
pub(super) const UNSUPPORTED: &str = "type not supported:";

/// How an error about a precision begins.
pub(super) const BAD_PRECISION: &str = "a precision is from 0 to 9";
/// How an error about a decimal begins.
pub(super) const BAD_DECIMAL: &str = "DECIMAL(p, s) has p from 1 to 38 and s from 0 to p";

/// Types nest at most this deep.
const DEEPEST: usize = 32;

type Parse<T> = Result<T, ParserError>;

/// Reads a type.
///
/// # Errors
/// When the text is not a type, or one that is not supported.
pub fn parse_type(parser: &mut Parser) -> Parse<DataType> {
    let mut types = Types { parser, closed: 0, depth: 0 };
    let data_type = types.parse()?;
    if types.closed > 0 {
        let at = types.parser.get_current_token().span.start;
        return Err(error("expected a type, found one > too many", at));
    }
    Ok(data_type)
}

struct Types<'p, 'a> {
    parser: &'p mut Parser<'a>,
    /// Closing brackets that are read already: `>>` is one token.
    closed: usize,
    depth: usize,
}

impl Types<'_, '_> {
    fn parse(&mut self) -> Parse<DataType> {
        if self.depth >= DEEPEST {
            return Err(ParserError::RecursionLimitExceeded);
        }
        self.depth += 1;
        let mut data_type = self.base()?;
        loop {
            if self.closed > 0 {
                break;
            }
            if self.word("ARRAY") {
                data_type = array(data_type);
            } else if self.peek("MULTISET") {
                return self.unsupported("MULTISET");
            } else {
                break;
            }
        }
        self.depth -= 1;
        Ok(data_type)
    }

    fn base(&mut self) -> Parse<DataType> {
        let token = self.parser.next_token();
        let at = token.span.start;
        let Token::Word(word) = &token.token else {
            return self.parser.expected("a type", token);
        };
        let name = word.value.to_ascii_uppercase();
        Ok(match name.as_str() {
            "BOOLEAN" | "BOOL" => DataType::Boolean,
            "TINYINT" => DataType::TinyInt(None),
            "SMALLINT" => DataType::SmallInt(None),
            "INT" | "INTEGER" => DataType::Int(None),
            "BIGINT" => DataType::BigInt(None),
            "FLOAT" | "REAL" => DataType::Float(ExactNumberInfo::None),
            "DOUBLE" => {
                self.word("PRECISION");
                DataType::Double(ExactNumberInfo::None)
            }
            "DECIMAL" | "DEC" | "NUMERIC" => DataType::Decimal(self.decimal()?),
            "STRING" | "TEXT" => DataType::String(None),
            "CHAR" | "CHARACTER" => {
                let varying = self.word("VARYING");
                let length = self.length()?;
                if varying { DataType::Varchar(length) } else { DataType::Char(length) }
            }
            "VARCHAR" => DataType::Varchar(self.length()?),
            "BYTES" | "BYTEA" => DataType::Bytes(None),
            "BINARY" => DataType::Binary(self.number()?),
            "VARBINARY" => {
                self.number()?;
                DataType::Varbinary(None)
            }
            "DATE" => DataType::Date,
            "TIME" => {
                let precision = self.precision(at)?;
                if self.word("WITHOUT") {
                    self.words(&["TIME", "ZONE"])?;
                }
                DataType::Time(precision, TimezoneInfo::None)
            }
            "TIMESTAMP" => {
                let precision = self.precision(at)?;
                let zone = if self.word("WITHOUT") {
                    self.words(&["TIME", "ZONE"])?;
                    TimezoneInfo::None
                } else if self.peek("WITH") && !self.peek_after("NO") {
                    self.word("WITH");
                    self.word("LOCAL");
                    self.words(&["TIME", "ZONE"])?;
                    TimezoneInfo::Tz
                } else {
                    TimezoneInfo::None
                };
                DataType::Timestamp(precision, zone)
            }
            "TIMESTAMP_LTZ" | "TIMESTAMPTZ" => {
                DataType::Timestamp(self.precision(at)?, TimezoneInfo::Tz)
            }
            "INTERVAL" => self.interval()?,
            "ARRAY" => {
                self.expect_open()?;
                let element = self.nested()?;
                self.close()?;
                array(element)
            }
            "MAP" => {
                self.expect_open()?;
                let key = self.nested()?;
                self.parser.expect_token(&Token::Comma)?;
                let value = self.nested()?;
                self.close()?;
                DataType::Map(Box::new(key), Box::new(value))
            }
            // DataFusion's name of it.
            "ROW" | "STRUCT" => self.row()?,
            "MULTISET" | "RAW" | "VARIANT" | "SYMBOL" | "NULL" | "STRUCTURED" => {
                return Err(error(&format!("{UNSUPPORTED} {name}"), at));
            }
            _ => return Err(error(&format!("{UNKNOWN} `{}`", word.value), at)),
        })
    }

    fn row(&mut self) -> Parse<DataType> {
        let round = self.parser.consume_token(&Token::LParen);
        if !round {
            self.expect_open()?;
        }
        let mut fields = Vec::new();
        let close = if round { Token::RParen } else { Token::Gt };
        if self.parser.peek_token_ref().token != close {
            self.fields(&mut fields)?;
        }
        if round {
            self.parser.expect_token(&Token::RParen)?;
        } else {
            self.close()?;
        }
        Ok(DataType::Struct(fields, StructBracketKind::AngleBrackets))
    }

    /// `name TYPE [comment], …`.
    fn fields(&mut self, fields: &mut Vec<StructField>) -> Parse<()> {
        loop {
            let field_name = Some(self.name()?);
            let field_type = self.nested()?;
            if self.closed == 0 {
                self.word("COMMENT");
                if let Token::SingleQuotedString(_) = self.parser.peek_token_ref().token {
                    self.parser.next_token();
                }
            }
            fields.push(StructField { field_name, field_type, options: None });
            if self.closed > 0 || !self.parser.consume_token(&Token::Comma) {
                return Ok(());
            }
        }
    }

    fn name(&mut self) -> Parse<Ident> {
        match self.parser.peek_token_ref().token {
            Token::Word(_) => self.parser.parse_identifier(),
            _ => self.parser.expected_ref("the name of a field", self.parser.peek_token_ref()),
        }
    }

    /// A type and whether it may be NULL.
    fn nested(&mut self) -> Parse<DataType> {
        let data_type = self.parse()?;
        if self.closed == 0 && !self.parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]) {
            let _ = self.parser.parse_keyword(Keyword::NULL);
        }
        Ok(data_type)
    }

    fn interval(&mut self) -> Parse<DataType> {
        let mut units = Vec::new();
        loop {
            let unit = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"]
                .into_iter()
                .find(|unit| self.word(unit));
            let Some(unit) = unit else {
                return self.parser.expected_ref(
                    "YEAR, MONTH, DAY, HOUR, MINUTE or SECOND",
                    self.parser.peek_token_ref(),
                );
            };
            self.number()?;
            units.push(unit);
            if units.len() == 2 || !self.word("TO") {
                break;
            }
        }
        let months = matches!(units.first(), Some(&"YEAR" | &"MONTH"));
        let fields = if months { IntervalFields::YearToMonth } else { IntervalFields::DayToSecond };
        Ok(DataType::Interval { fields: Some(fields), precision: None })
    }

    fn expect_open(&mut self) -> Parse<()> {
        self.parser.expect_token(&Token::Lt).map(drop)
    }

    fn close(&mut self) -> Parse<()> {
        if self.closed > 0 {
            self.closed -= 1;
            return Ok(());
        }
        if self.parser.consume_token(&Token::ShiftRight) {
            self.closed = 1;
            return Ok(());
        }
        self.parser.expect_token(&Token::Gt).map(drop)
    }

    fn number(&mut self) -> Parse<Option<u64>> {
        if !self.parser.consume_token(&Token::LParen) {
            return Ok(None);
        }
        let n = self.parser.parse_literal_uint()?;
        if self.parser.consume_token(&Token::Comma) {
            self.parser.parse_literal_uint()?;
        }
        self.parser.expect_token(&Token::RParen)?;
        Ok(Some(n))
    }

    fn precision(&mut self, at: Location) -> Parse<Option<u64>> {
        match self.number()? {
            Some(p) if p > 9 => Err(error(&format!("{BAD_PRECISION}, got {p}"), at)),
            p => Ok(p),
        }
    }

    fn length(&mut self) -> Parse<Option<CharacterLength>> {
        Ok(self.number()?.map(|length| CharacterLength::IntegerLength { length, unit: None }))
    }

    fn decimal(&mut self) -> Parse<ExactNumberInfo> {
        if !self.parser.consume_token(&Token::LParen) {
            return Ok(ExactNumberInfo::None);
        }
        let at = self.parser.peek_token_ref().span.start;
        let precision = self.parser.parse_literal_uint()?;
        let scale = match self.parser.consume_token(&Token::Comma) {
            true => self.parser.parse_literal_uint()?,
            false => 0,
        };
        self.parser.expect_token(&Token::RParen)?;
        if precision == 0 || precision > 38 || scale > precision {
            return Err(error(&format!("{BAD_DECIMAL}, got ({precision}, {scale})"), at));
        }
        let scale = i64::try_from(scale).unwrap_or(0);
        Ok(ExactNumberInfo::PrecisionAndScale(precision, scale))
    }

    fn peek(&self, word: &str) -> bool {
        is_word(&self.parser.peek_token_ref().token, word)
    }

    fn peek_after(&self, word: &str) -> bool {
        is_word(&self.parser.peek_nth_token_ref(1).token, word)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek(word);
        if found {
            self.parser.next_token();
        }
        found
    }

    fn words(&mut self, words: &[&str]) -> Parse<()> {
        for word in words {
            if !self.word(word) {
                return self.parser.expected_ref(word, self.parser.peek_token_ref());
            }
        }
        Ok(())
    }

    fn unsupported<T>(&self, name: &str) -> Parse<T> {
        Err(error(&format!("{UNSUPPORTED} {name}"), self.parser.peek_token_ref().span.start))
    }
}

fn array(element: DataType) -> DataType {
    DataType::Array(ArrayElemTypeDef::AngleBracket(Box::new(element)))
}

/// Whether a token is this word, written in capitals here, without quotes.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn error(message: &str, at: Location) -> ParserError {
    ParserError::ParserError(format!("{message}{at}"))
}
