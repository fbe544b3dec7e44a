//! The single commands: tidy, chaos, docs, bench, services.

use std::path::Path;
use std::process::Command;

use crate::process::{cargo, run, target_dir};
use crate::tidy::{Tree, check};

/// Checks the rules of this repository.
///
/// # Errors
/// A rule is broken; each finding is printed.
pub fn tidy(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let findings = check(&tree);
    let mut broken = 0;
    for finding in &findings {
        broken += usize::from(!finding.is_warning);
        println!("{finding}");
    }
    match broken {
        0 => {
            println!("tidy: {} files, {} warnings", tree.files.len(), findings.len());
            Ok(())
        }
        n => Err(format!("tidy: {n} findings")),
    }
}

/// Builds the chaos programs and runs them; `--release` among the options chooses the build.
///
/// # Errors
/// They cannot be built, or the verifier found a fault.
pub fn chaos(root: &Path, options: &[String]) -> Result<(), String> {
    let release = options.iter().any(|option| option == "--release");
    // The profile of the tests: what they have built is used again.
    let (profile, folder) = if release { ("release", "release") } else { ("test", "debug") };
    let args = ["build", "--package", "headwater-chaos", "--bins", "--profile", profile];
    run(&mut cargo(root, args))?;
    let options: Vec<String> = options.iter().filter(|o| *o != "--release").cloned().collect();
    match options.split_first() {
        Some((of, rest)) if of == "kafka" => run_chaos(root, folder, "chaos-kafka", rest),
        _ => run_chaos(root, folder, "chaos", &options),
    }
}

/// Runs one of the chaos programs as it was built last.
///
/// # Errors
/// They were not built, or the verifier found a fault.
pub fn run_chaos(
    root: &Path,
    folder: &str,
    program: &str,
    options: &[String],
) -> Result<(), String> {
    let program = target_dir(root).join(folder).join(program);
    run(Command::new(program).current_dir(root).args(options))
}

/// Builds the documentation of all crates.
///
/// # Errors
/// The documentation has a warning.
pub fn docs(root: &Path) -> Result<(), String> {
    let mut command = cargo(root, ["doc", "--workspace", "--no-deps"]);
    // Module docs may point at private modules: they are written for readers of the source too.
    let flags = "-D warnings -A rustdoc::private_intra_doc_links \
                 -A rustdoc::redundant_explicit_links";
    run(command.env("RUSTDOCFLAGS", flags))
}

/// Runs `headwater bench` as built for release.
///
/// # Errors
/// It cannot be built, or the benchmark failed.
pub fn bench(root: &Path, arguments: &[String]) -> Result<(), String> {
    let args = ["run", "--release", "--package", "headwater-cli", "--bin", "headwater"];
    run(cargo(root, args).args(["--", "bench"]).args(arguments))
}

/// Runs `headwater-services`, which this program does not contain, so that it stays quick to build.
///
/// # Errors
/// It cannot be built, or it failed; what is missing is printed by it.
pub fn services(root: &Path, arguments: &[String]) -> Result<(), String> {
    let args = ["run", "--quiet", "--package", "headwater-services", "--bin", "headwater-services"];
    let status = cargo(root, args).arg("--").args(arguments).status();
    match status.map_err(|e| format!("cannot start cargo: {e}"))?.success() {
        true => Ok(()),
        // It has said why.
        false => Err(String::new()),
    }
}
