//! `headwater connectors`: what tables can be made of, and which options they have.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use headwater::cli::terminal;
use headwater::{Exit, Result};
use headwater_sql::connectors::{CONNECTORS, OptionSpec, connector, options};

use super::shell;

/// What to show.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  headwater connectors list\n  headwater connectors show kafka")]
pub(crate) struct ConnectorsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List all connectors
    List,
    /// Show a connector's options
    Show {
        /// Its name
        name: String,
    },
}

/// Lists connectors or shows one.
///
/// # Errors
/// None: an unknown connector is told here.
pub(crate) fn run(args: &ConnectorsArgs) -> Result<Exit> {
    match &args.verb {
        Verb::List => {
            let mut table = plain();
            for connector in CONNECTORS {
                let uses = match (connector.reads, connector.writes) {
                    (true, true) => "read, written",
                    (true, false) => "read",
                    _ => "written",
                };
                table.add_row([connector.name, uses, connector.help]);
            }
            terminal::print(&text(&table));
            Ok(Exit::OK)
        }
        Verb::Show { name } => match connector(name).and_then(|c| Ok((c, options(c.name)?))) {
            Ok((connector, options)) => {
                terminal::print(&format!("{}: {}\n\n", connector.name, connector.help));
                terminal::print(&option_list(&options));
                Ok(Exit::OK)
            }
            Err(e) => {
                eprintln!("{}", e.render("", terminal::colour(&std::io::stderr())));
                Ok(shell::exit(&e))
            }
        },
    }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn text(table: &Table) -> String {
    format!("{}\n", table.trim_fmt())
}

fn option_list(options: &[OptionSpec]) -> String {
    let mut table = plain();
    for option in options {
        let default = match (option.required, option.default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("default '{default}'"),
            (false, None) => "optional".to_owned(),
        };
        let about = format!("{}; {}", option.help, option.kind.describe());
        table.add_row([format!("'{}'", option.key), default, about]);
    }
    text(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_listed_with_what_it_takes() {
        for connector in CONNECTORS {
            let options = options(connector.name).unwrap();
            let list = option_list(&options);
            for option in options {
                assert!(list.contains(&format!("'{}'", option.key)), "{list}");
            }
        }
        let list = option_list(&options("nexmark").unwrap());
        assert!(list.contains("whole number"), "{list}");
    }
}
