//! `CREATE TABLE … LIKE other`: what is taken over from the other table.
//!
//! Physical columns always are. The rest goes by rules; a feature without one goes by the rule for
//! ALL, or else options are overwritten and everything else included, as in Flink.

use datafusion::sql::sqlparser::ast::Ident;

use super::create::Draft;
use super::{ColumnKind, Table};
use crate::error::{Location, Span, SqlError, SqlResult, codes};
use crate::syntax::{CreateTable, Like, LikeFeature, LikeStrategy, TableOption};

fn strategy(like: &Like, feature: LikeFeature) -> LikeStrategy {
    let of = |wanted| like.rules.iter().rev().find(|r| r.feature == wanted).map(|r| r.strategy);
    of(feature).or_else(|| of(LikeFeature::All)).unwrap_or(match feature {
        LikeFeature::Options => LikeStrategy::Overwriting,
        _ => LikeStrategy::Including,
    })
}

/// Whether the other table's watermark is taken over.
pub(super) fn keeps_watermark(like: &Like) -> bool {
    strategy(like, LikeFeature::Watermarks) != LikeStrategy::Excluding
}

/// The statement and columns with what the other table adds to them.
pub(super) fn take_over(
    create: &CreateTable,
    own: Vec<Draft>,
    like: &Like,
    base: &Table,
) -> SqlResult<(CreateTable, Vec<Draft>)> {
    let mut create = create.clone();
    let columns = columns(own, like, base)?;
    let both = |what: &str, span: Span| {
        SqlError::new(
            codes::BAD_LIKE,
            format!("table `{}` has {what} already, and it is given here too", base.name),
        )
        .at(span)
    };

    if let (Some(own), Some(_)) = (&create.watermark, &base.watermark)
        && strategy(like, LikeFeature::Watermarks) == LikeStrategy::Including
    {
        return Err(
            both("a watermark", own.column.span).help("write LIKE … (OVERWRITING WATERMARKS)")
        );
    }
    let names = |indices: &[usize]| -> Vec<Ident> {
        indices.iter().map(|&i| Ident::new(base.field(i).name())).collect()
    };
    if strategy(like, LikeFeature::Constraints) != LikeStrategy::Excluding
        && !base.primary_key.is_empty()
    {
        if let Some(first) = create.primary_key.first() {
            return Err(
                both("a primary key", first.span).help("write LIKE … (EXCLUDING CONSTRAINTS)")
            );
        }
        create.primary_key = names(&base.primary_key);
    }
    if strategy(like, LikeFeature::Partitions) != LikeStrategy::Excluding
        && !base.partitioned_by.is_empty()
    {
        if let Some(first) = create.partitioned_by.first() {
            return Err(both("partitions", first.span).help("write LIKE … (EXCLUDING PARTITIONS)"));
        }
        create.partitioned_by = names(&base.partitioned_by);
    }
    options(&mut create, like, base)?;
    Ok((create, columns))
}

fn columns(own: Vec<Draft>, like: &Like, base: &Table) -> SqlResult<Vec<Draft>> {
    let mut columns: Vec<Draft> = Vec::new();
    for (index, kind) in base.columns.iter().enumerate() {
        let field = base.field(index);
        let feature = match kind {
            ColumnKind::Physical => None,
            ColumnKind::Computed(_) => Some(LikeFeature::Generated),
            ColumnKind::Metadata { .. } => Some(LikeFeature::Metadata),
        };
        let how = feature.map_or(LikeStrategy::Including, |feature| strategy(like, feature));
        if how == LikeStrategy::Excluding {
            continue;
        }
        if let Some(twice) = own.iter().find(|c| c.name == *field.name()) {
            let same_kind = matches!(
                (kind, &twice.kind),
                (ColumnKind::Computed(_), ColumnKind::Computed(_))
                    | (ColumnKind::Metadata { .. }, ColumnKind::Metadata { .. })
            );
            if how == LikeStrategy::Overwriting && same_kind {
                continue;
            }
            return Err(SqlError::new(
                codes::BAD_LIKE,
                format!("table `{}` has a column `{}` already", base.name, field.name()),
            )
            .at(twice.span));
        }
        columns.push(Draft {
            name: field.name().clone(),
            span: Location::empty().span_to(Location::empty()),
            data_type: match kind {
                ColumnKind::Computed(_) => None,
                _ => Some((field.data_type().clone(), field.is_nullable())),
            },
            kind: kind.clone(),
            comment: base.column_comments.get(field.name()).cloned(),
        });
    }
    columns.extend(own);
    Ok(columns)
}

fn options(create: &mut CreateTable, like: &Like, base: &Table) -> SqlResult<()> {
    let how = strategy(like, LikeFeature::Options);
    if how == LikeStrategy::Excluding {
        return Ok(());
    }
    for (key, value) in &base.options {
        match create.options.iter().find(|o| o.key == *key) {
            Some(own) if how == LikeStrategy::Including => {
                return Err(SqlError::new(
                    codes::BAD_LIKE,
                    format!("table `{}` has option '{key}' already", base.name),
                )
                .at(own.span)
                .help("write LIKE … (OVERWRITING OPTIONS)"));
            }
            Some(_) => {}
            None => {
                let nowhere = Location::empty().span_to(Location::empty());
                create.options.push(TableOption {
                    key: key.clone(),
                    value: value.clone(),
                    span: nowhere,
                    value_span: nowhere,
                });
            }
        }
    }
    Ok(())
}
