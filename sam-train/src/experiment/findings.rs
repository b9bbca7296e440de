//! What an experiment found, and the files that say so.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::{ExperimentError, compare::summary::Summary, followed::Followed, runner::ExperimentDirectory};
use crate::{
    files,
    report::{
        figure::Figure,
        markdown::Table,
        result_file::{MachineFacts, ResultFile},
        surface::Surface,
    },
    training::settings::Settings,
};

/// What an experiment found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The numbers, for people.
    pub tables: Vec<Table>,
    /// The numbers, for programs: an object each.
    pub lines: Vec<Value>,
    /// What they say, a sentence each.
    pub sentences: Vec<String>,
    /// What can be drawn of them.
    pub pictures: Vec<Picture>,
}

/// A picture as data.
#[derive(Debug, Clone)]
pub struct Picture {
    name: &'static str,
    /// What it shows.
    pub drawing: Drawing,
}

/// What a picture shows.
#[derive(Debug, Clone)]
pub enum Drawing {
    /// Panels of lines and dots.
    Figure(Figure),
    /// Losses around weights, side by side in one scale.
    Surfaces {
        /// What they are of.
        title: String,
        /// One for each network.
        surfaces: Vec<Surface>,
    },
    /// Test errors along training and at its end.
    Comparison(Vec<Summary>),
}

impl Picture {
    /// A picture of that name, which has no ending.
    pub const fn new(name: &'static str, drawing: Drawing) -> Self {
        Self { name, drawing }
    }

    /// Panels.
    pub const fn figure(name: &'static str, figure: Figure) -> Self {
        Self::new(name, Drawing::Figure(figure))
    }

    /// The file it is drawn to in an experiment's directory.
    pub fn file_name(&self) -> String {
        format!("{}.svg", self.name)
    }
}

/// What an experiment was about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The experiment's name.
    pub kind: &'a str,
    /// What of the paper it repeats.
    pub paper: &'a str,
    /// The settings that runs start from and vary.
    pub settings: &'a Settings,
    /// Seeds, counted up from the settings'.
    pub seeds: usize,
    /// Runs at a time.
    pub threads: usize,
}

impl Findings {
    /// Adds what `value` has as a line of results.
    ///
    /// # Panics
    /// If `value` cannot be JSON: no type of this crate.
    pub fn line(&mut self, value: &impl Serialize) {
        self.lines.push(serde_json::to_value(value).expect("plain data with named fields is JSON"));
    }

    /// Says in all of it that a recipe was followed, and how far it was shrunk.
    pub fn follow(&mut self, followed: &Followed) {
        let recipe = &followed.to_string();
        self.sentences.insert(0, recipe.to_owned());
        for table in &mut self.tables {
            table.title = format!("{}. {recipe}", table.title);
        }
        for line in self.lines.iter_mut().filter_map(Value::as_object_mut) {
            line.insert("recipe".to_owned(), recipe.as_str().into());
        }
        for picture in &mut self.pictures {
            match &mut picture.drawing {
                Drawing::Figure(Figure { title, .. }) | Drawing::Surfaces { title, .. } => {
                    title.extend(followed.in_short().map(|scaled| format!(", {scaled}")));
                }
                // Its title is made of its summaries, which say it.
                Drawing::Comparison(_) => {}
            }
        }
    }

    /// The tables and sentences as Markdown.
    pub fn markdown(&self) -> String {
        let tables: String = self.tables.iter().map(|table| format!("{}\n", table.markdown())).collect();
        let sentences: String = self.sentences.iter().map(|sentence| format!("{sentence}\n")).collect();
        format!("{tables}{sentences}")
    }

    /// Writes `result.json` and `table.md`. `command` is how the host was asked for it, for instance a command line;
    /// `pictures` are the files that were drawn.
    ///
    /// # Errors
    /// [`ExperimentError::File`], when one cannot be written.
    pub fn write(
        &self,
        directory: &ExperimentDirectory,
        subject: Subject<'_>,
        command: &str,
        pictures: &[PathBuf],
    ) -> Result<(), ExperimentError> {
        let Subject { kind, paper, settings, seeds, threads } = subject;
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = ResultFile {
            kind: kind.to_owned(),
            paper: paper.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.to_owned(),
            machine: MachineFacts::here(threads),
            settings: settings.clone(),
            seeds,
            sentences: self.sentences.clone(),
            tables: self.tables.clone(),
            pictures: pictures.iter().map(name).collect(),
            results: self.lines.clone(),
        };
        file.save(&directory.file("result.json"))?;
        Ok(files::replace(&directory.file("table.md"), self.markdown().as_bytes())?)
    }
}
