//! `sam completions` and `sam man`.

use std::{io, path::PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, output::print};
use crate::{
    experiment::ExperimentError,
    files::{self, FileError},
};

/// What a shell needs to complete this command's words, on stdout.
#[derive(Debug, Clone, Args)]
#[command(after_help = COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

const COMPLETIONS: &str = "\
Examples:
  sam completions bash > ~/.local/share/bash-completion/completions/sam
  sam completions zsh > ~/.zfunc/_sam
  sam completions fish > ~/.config/fish/completions/sam.fish";

/// Manual pages, one for each command, into a directory.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  sam man --out ~/.local/share/man/man1; man sam-train")]
pub struct ManArgs {
    /// The directory.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs `sam completions`.
///
/// # Errors
/// [`ExperimentError`], when stdout cannot be written.
pub fn completions(args: &CompletionsArgs) -> Result<(), ExperimentError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sam", &mut script);
    Ok(print(String::from_utf8_lossy(&script).trim_end())?)
}

/// Runs `sam man`.
///
/// # Errors
/// [`ExperimentError`], when a page cannot be written.
pub fn man(args: &ManArgs) -> Result<(), ExperimentError> {
    files::create_directory(&args.out)?;
    let mut command = Cli::command();
    command.build();
    for (name, page) in pages(&command) {
        let path = args.out.join(format!("{name}.1"));
        let content = page.map_err(FileError::of(&path, "written"))?;
        files::replace(&path, &content)?;
        print(path.display())?;
    }
    Ok(())
}

/// The pages of `command` and of the commands below it, but for those that are hidden.
fn pages(command: &clap::Command) -> Vec<(String, io::Result<Vec<u8>>)> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let page = clap_mangen::Man::new(command.clone());
    let mut content = Vec::new();
    let rendered = page.render(&mut content).map(|()| content);
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    std::iter::once((name, rendered)).chain(below.flat_map(pages)).collect()
}
