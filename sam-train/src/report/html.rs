//! Results of experiments as one page of HTML that needs nothing else.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::markdown::{Table, escaped};

/// What is said about one directory.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// What it is.
    pub heading: String,
    /// The numbers.
    pub tables: Vec<Table>,
    /// What they say.
    pub sentences: Vec<String>,
    /// Pictures: what they are called, and SVG documents.
    pub pictures: Vec<(String, String)>,
    /// Where it comes from: names and values.
    pub facts: Vec<(&'static str, String)>,
}

/// Neither scripts nor anything from elsewhere, whatever the results hold that the page is made of.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

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
.wide { overflow-x: auto; background:
  linear-gradient(to right, var(--paper) 30%, transparent) left / 2rem 100% no-repeat local,
  linear-gradient(to left, var(--paper) 30%, transparent) right / 2rem 100% no-repeat local,
  linear-gradient(to right, var(--line), transparent) left / .6rem 100% no-repeat scroll,
  linear-gradient(to left, var(--line), transparent) right / .6rem 100% no-repeat scroll; }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { max-width: 100%; height: auto; display: block; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; } th, td { padding: .2rem .4rem; }
  figure img { max-width: none; width: 40rem; }
  figure::before { content: \"\\2194\\a0 scrolls sideways\"; position: sticky; left: 0; color: var(--quiet); font-size: .8rem; }
}
@media (prefers-color-scheme: dark) { figure img { filter: invert(.91) hue-rotate(180deg); } }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; color: var(--quiet); font-size: .9rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
summary { color: var(--quiet); cursor: pointer; }
@media print {
  :root { --ink: #000; --paper: #fff; --line: #bbb; --quiet: #444; }
  body { max-width: none; margin: 0; font-size: 10pt; }
  section { break-before: page; } section:first-of-type { break-before: auto; }
  figure, table { break-inside: avoid; } nav { display: none; } figure img { filter: none; }
}
";

/// The page of `sections`; `others` are directories that have no result, and why.
pub fn page(sections: &[Section], others: &[(String, String)]) -> String {
    let entry = |(i, section): (usize, &Section)| {
        let says =
            section.sentences.first().map_or_else(String::new, |first| format!(": {}", escaped(first)));
        format!("<li><a href=\"#s{i}\">{}</a>{says}</li>\n", escaped(&section.heading))
    };
    let entries: String = sections.iter().enumerate().map(entry).collect();
    let body: String = sections.iter().enumerate().map(|(i, section)| self::section(i, section)).collect();
    let others = if others.is_empty() { String::new() } else { list(others) };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Sharpness-Aware Minimization: results</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Sharpness-Aware Minimization: results</h1>\n<nav><ul>\n{entries}</ul></nav>\n{body}{others}</body>\n</html>\n"
    )
}

fn section(number: usize, section: &Section) -> String {
    let Section { heading, tables, sentences, pictures, facts } = section;
    let heading = escaped(heading);
    let tables: String =
        tables.iter().map(|table| format!("<div class=\"wide\">{}</div>\n", table.html())).collect();
    let sentences: String =
        sentences.iter().map(|sentence| format!("<p>{}</p>\n", escaped(sentence))).collect();
    // As images: a browser runs no script of an image and loads nothing for it.
    let picture = |(name, svg): &(String, String)| {
        let (name, data) = (escaped(name), STANDARD.encode(svg));
        format!("<figure><img alt=\"{name}\" src=\"data:image/svg+xml;base64,{data}\"></figure>\n")
    };
    let pictures: String = pictures.iter().map(picture).collect();
    let facts: String =
        facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value))).collect();
    format!(
        "<section id=\"s{number}\">\n<h2>{heading}</h2>\n{tables}{sentences}{pictures}<details>\n<summary>Settings and machine</summary>\n<dl>\n{facts}</dl>\n</details>\n</section>\n"
    )
}

fn list(others: &[(String, String)]) -> String {
    let item = |(place, why): &(String, String)| format!("<li>{}: {}</li>\n", escaped(place), escaped(why));
    let items: String = others.iter().map(item).collect();
    format!("<h2>Without a result</h2>\n<ul>\n{items}</ul>\n")
}
