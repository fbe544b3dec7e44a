//! Room on the stack for what nests: expressions, and with them their parser, planner and evaluation.
//!
//! The limits of the dialect (see `syntax::limits`) bound how deep a text nests. What a level takes
//! depends on how the program is built: optimised some hundred bytes, in a debug build tens of KiB,
//! which a thread of 2 MiB does not have.

use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;

/// Address space; only what is touched takes memory.
pub(crate) const ROOM: usize = 128 << 20;

/// From this depth on evaluation is given room of its own.
const DEEP: usize = 64;

/// Runs `f` with room for whatever the dialect lets through.
pub(crate) fn with_room<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(ROOM / 2, ROOM, f)
}

/// Whether evaluating one of these nests deep.
pub(crate) fn nests_deep<'a>(exprs: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>) -> bool {
    let mut open: Vec<(&Arc<dyn PhysicalExpr>, usize)> =
        exprs.into_iter().map(|expr| (expr, 1)).collect();
    while let Some((expr, depth)) = open.pop() {
        if depth > DEEP {
            return true;
        }
        open.extend(expr.children().into_iter().map(|child| (child, depth + 1)));
    }
    false
}

#[cfg(test)]
mod tests {
    use datafusion::physical_expr::expressions::{lit, not};

    use super::*;

    #[test]
    fn depth_is_what_counts_and_not_width() {
        let mut expr: Arc<dyn PhysicalExpr> = lit(true);
        let flat: Vec<_> = (0..500).map(|_| Arc::clone(&expr)).collect();
        assert!(!nests_deep(&flat));
        for _ in 0..DEEP {
            expr = not(expr).unwrap();
        }
        assert!(nests_deep([&expr]));
        assert!(!nests_deep(expr.children()));
    }

    #[test]
    fn there_is_room_on_a_small_thread() {
        fn deep(levels: usize) -> usize {
            let frame = std::hint::black_box([levels; 128]);
            if levels == 0 { 0 } else { deep(levels - 1) + frame[0] / levels }
        }
        let small = std::thread::Builder::new().stack_size(64 << 10);
        let run = small.spawn(|| with_room(|| with_room(|| deep(20_000)))).unwrap();
        assert_eq!(run.join().unwrap(), 20_000);
    }
}
