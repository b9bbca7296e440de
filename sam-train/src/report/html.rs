//! Results of experiments as one page of HTML that needs nothing else.

use super::{markdown::escaped, record::Record};

/// A result with its pictures.
#[derive(Debug, Clone)]
pub struct Section {
    /// Where it lies, for people.
    pub place: String,
    /// The content of `result.json`.
    pub record: Record,
    /// SVG documents.
    pub pictures: Vec<String>,
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --line: #ccc; --quiet: #666; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --paper: #17181a; --line: #444; --quiet: #a0a0a0; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h2 { border-top: 1px solid var(--line); padding-top: 1rem; margin-top: 2.5rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
figure { margin: 1rem 0; background: #fff; padding: .5rem; border-radius: 6px; }
figure svg { max-width: 100%; height: auto; display: block; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; color: var(--quiet); font-size: .9rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
nav ul { columns: 2; }
@media print {
  :root { --ink: #000; --paper: #fff; --line: #bbb; --quiet: #444; }
  body { max-width: none; margin: 0; font-size: 10pt; }
  section { break-before: page; } section:first-of-type { break-before: auto; }
  figure, table { break-inside: avoid; } nav { display: none; }
}
";

/// The page.
pub fn page(sections: &[Section]) -> String {
    let entries: String = sections
        .iter()
        .enumerate()
        .map(|(i, section)| {
            format!("<li><a href=\"#s{i}\">{}</a></li>\n", escaped(&heading(&section.record)))
        })
        .collect();
    let body: String = sections.iter().enumerate().map(|(i, section)| self::section(i, section)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Sharpness-Aware Minimization: results</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Sharpness-Aware Minimization: results</h1>\n<nav><ul>\n{entries}</ul></nav>\n{body}</body>\n</html>\n"
    )
}

fn heading(record: &Record) -> String {
    let settings = &record.settings;
    format!(
        "sam {}: {} on {} ({})",
        record.kind.replacen("ablate-", "ablate ", 1),
        settings.model,
        settings.data.name,
        record.paper
    )
}

fn section(number: usize, section: &Section) -> String {
    let Section { place, record, pictures } = section;
    let tables: String =
        record.tables.iter().map(|table| format!("<div class=\"wide\">{}</div>\n", table.html())).collect();
    let sentences: String =
        record.sentences.iter().map(|sentence| format!("<p>{}</p>\n", escaped(sentence))).collect();
    let pictures: String = pictures
        .iter()
        .map(|svg| {
            // What stands before the element (an XML declaration) has no place inside a page.
            let svg = svg.find("<svg").map_or("", |start| &svg[start..]);
            format!("<figure>{svg}</figure>\n")
        })
        .collect();
    let settings = crate::json::line(&record.settings);
    let machine = &record.machine;
    let processor = machine.processor.as_deref().unwrap_or("unknown processor");
    let facts = [
        ("command", record.command.clone()),
        ("version", record.version.clone()),
        ("seeds", format!("{} from {}", record.seeds, record.settings.seed)),
        ("machine", format!("{processor}, {}, {} runs at a time", machine.platform, machine.threads)),
        ("settings", settings),
        ("place", place.clone()),
    ];
    let facts: String =
        facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value))).collect();
    format!(
        "<section id=\"s{number}\">\n<h2>{}</h2>\n{tables}{sentences}{pictures}<dl>\n{facts}</dl>\n</section>\n",
        escaped(&heading(record))
    )
}
