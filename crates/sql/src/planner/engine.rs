//! DataFusion as this dialect wants it: identifiers keep their case, literals with a point are
//! decimals, NULLs sort lowest, strings are plain, and one partition keeps the order of rows.

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::prelude::SessionConfig;
use datafusion::sql::planner::ParserOptions;

use super::ranking::row_number;
use crate::error::SqlResult;
use crate::functions::{self, Mode};

/// The state that plans and, for bounded queries, runs: functions, configuration, rules.
///
/// # Errors
/// When the functions cannot be registered.
pub(crate) fn session_state(mode: Mode) -> SqlResult<SessionState> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    options.execution.time_zone = Some("UTC".to_owned());
    let mut state = SessionStateBuilder::new().with_default_features().with_config(config).build();
    functions::register(&mut state, mode)?;
    state.register_udwf(Arc::new(row_number()))?;
    Ok(state)
}

/// How texts are turned into plans.
pub(crate) fn parser_options(state: &SessionState) -> ParserOptions {
    ParserOptions::from(&state.config_options().sql_parser)
}

/// The rules that are right for streams too: they neither assume that all rows are there, nor that
/// an expression is evaluated once, nor do they make plans that only a batch engine runs.
pub(crate) fn streaming_optimizer() -> Optimizer {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    Optimizer::with_rules(rules)
}
