//! Where all records went, at the end of a job: `in = out + filtered + late + dead-lettered +
//! dropped`.
//!
//! A source gives what it reads or refuses it, a sink writes what it gets or refuses it; both are
//! always told. Other steps are told when records were late, refused or dropped there.

use headwater_runtime::{MetricsSnapshot, OperatorSnapshotMetrics};

use super::units::count;

/// One line per source and sink, and per step that did not take all of its records.
pub fn lines(snapshot: &MetricsSnapshot) -> Vec<String> {
    snapshot.operators.iter().filter_map(line).collect()
}

/// Records that sinks have written, the dead letters aside.
pub fn written(snapshot: &MetricsSnapshot) -> u64 {
    let sinks = snapshot
        .operators
        .iter()
        .filter(|o| o.label == "sink" && o.name != headwater_topology::DEAD_LETTERS);
    let taken = |o: &OperatorSnapshotMetrics| {
        o.totals.records_in.saturating_sub(o.totals.dead_lettered + o.totals.dropped)
    };
    sinks.map(taken).sum()
}

fn line(operator: &OperatorSnapshotMetrics) -> Option<String> {
    let t = &operator.totals;
    let refused = t.dead_lettered + t.dropped;
    let (taken, word) = match operator.label.as_str() {
        "source" => (t.records_out, "out"),
        "sink" if operator.name == headwater_topology::DEAD_LETTERS && t.records_in == 0 => {
            return None;
        }
        "sink" => (t.records_in.saturating_sub(refused), "written"),
        _ if refused + t.late == 0 => return None,
        _ => (t.records_in.saturating_sub(refused + t.late + t.filtered), "taken"),
    };
    let mut parts = vec![format!("{word} {}", count(taken))];
    if !matches!(operator.label.as_str(), "source" | "sink") {
        parts.push(format!("filtered {}", count(t.filtered)));
        parts.push(format!("late {}", count(t.late)));
    }
    parts.push(format!("dead-lettered {}", count(t.dead_lettered)));
    parts.push(format!("dropped {}", count(t.dropped)));
    // A source can say both sides; that they differ must not go unseen.
    let missing = t.records_in.saturating_sub(taken + refused + t.late + t.filtered);
    if missing > 0 {
        parts.push(format!("NOT ACCOUNTED FOR {}", count(missing)));
    }
    let (label, name) = (&operator.label, &operator.name);
    Some(format!("{label} {name:?}: in {} = {}", count(t.records_in), parts.join(" + ")))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use std::time::Instant;

    use super::*;

    #[test]
    fn every_record_is_accounted_for() {
        let mut snapshot = crate::metrics_http::text::tests::snapshot(Instant::now());
        let source = &mut snapshot.operators[0].totals;
        (source.records_in, source.records_out, source.dead_lettered) = (2_412_804, 2_412_801, 3);
        let window = &mut snapshot.operators[1];
        window.name = "counts".into();
        let mut map = window.clone();
        (map.name, map.label, map.totals.late) = ("map-1".into(), "map".into(), 0);
        snapshot.operators.insert(1, map);
        let mut letters = snapshot.operators[3].clone();
        letters.name = "dead-letters".into();
        letters.totals.records_in = 0;
        snapshot.operators.push(letters.clone());
        letters.totals.records_in = 3;
        snapshot.operators.push(letters);
        expect![[r#"
            source "orders": in 2 412 804 = out 2 412 801 + dead-lettered 3 + dropped 0
            window "counts": in 97 = taken 94 + filtered 0 + late 3 + dead-lettered 0 + dropped 0
            sink "out": in 40 = written 40 + dead-lettered 0 + dropped 0
            sink "dead-letters": in 3 = written 3 + dead-lettered 0 + dropped 0"#]]
        .assert_eq(&lines(&snapshot).join("\n"));
        assert_eq!(written(&snapshot), 40);
        snapshot.operators[0].totals.records_in += 1;
        assert!(lines(&snapshot)[0].ends_with("+ NOT ACCOUNTED FOR 1"));
    }
}
