//! What tests do where there is no Java: this program runs one of its tests again, without.

use std::process::{Command, Output};

const VARS: [&str; 3] = ["CI", "HEADWATER_REQUIRE_SERVICES", "HEADWATER_KAFKA"];

fn without_java(set: Option<(&str, &str)>) -> Output {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let test = "broker::the_shared_broker_makes_topics_and_has_transactions_of_version_2";
    program.args([test, "--exact"]).env("JAVA_HOME", "/no/such/java");
    for var in VARS {
        program.env_remove(var);
    }
    program.envs(set).output().unwrap()
}

#[test]
fn a_test_that_cannot_run_says_so_even_though_it_passes() {
    for set in [None, Some(("CI", "")), Some(("CI", "false"))] {
        let Output { status, stderr, .. } = without_java(set);
        let said = String::from_utf8(stderr).unwrap();
        assert!(
            status.success() && said.starts_with("NOT RUN: kafka: kafka needs Java 17"),
            "{said}"
        );
        assert!(said.contains("/no/such/java/bin/java") && said.contains("help: "), "{said}");
    }
}

#[test]
fn where_services_are_required_or_named_it_fails() {
    let named = ("HEADWATER_KAFKA", "127.0.0.1:1");
    for set in [("CI", "true"), ("HEADWATER_REQUIRE_SERVICES", "1"), named] {
        let Output { status, stdout, .. } = without_java(Some(set));
        let said = String::from_utf8(stdout).unwrap();
        assert!(!status.success() && said.contains(set.0), "{said}");
    }
}
