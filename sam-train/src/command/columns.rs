//! Text for a terminal that is so wide: no word is cut at its edge, and a table that does not fit is a list.

use std::io::{self, IsTerminal};

use crate::report::markdown::Table;

/// What continued lines begin with.
const INDENT: usize = 2;

/// Columns of the terminal that stdout is; `None` where it is none, and any line is right.
pub fn of_stdout() -> Option<usize> {
    io::stdout().is_terminal().then(columns).flatten()
}

/// The same of stderr.
pub fn of_stderr() -> Option<usize> {
    io::stderr().is_terminal().then(columns).flatten()
}

fn columns() -> Option<usize> {
    ratatui::crossterm::terminal::size()
        .ok()
        .map(|(columns, _)| columns.into())
        .filter(|&columns| columns > 0)
}

/// Each line of `text` in lines of at most so many `columns`, broken between words; those behind the first are indented by `indent` more
/// than it. A word that is longer than a line stays whole. Gaps of several spaces shrink to one in a line that would not fit with
/// them. Without `columns` the text is as it was.
pub fn wrapped(text: &str, columns: Option<usize>, indent: usize) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    text.split('\n').map(|line| wrapped_line(line, columns, indent)).collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, columns: usize, indent: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let own = line.chars().take_while(|c| *c == ' ').count();
    let mut done = String::new();
    let mut current = " ".repeat(own);
    let mut empty = true;
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        if !empty && width(&current) + 1 + width(word) > columns {
            done.push_str(&current);
            done.push('\n');
            current = " ".repeat(own + indent);
            empty = true;
        }
        if !empty {
            current.push(' ');
        }
        current.push_str(word);
        empty = false;
    }
    done + &current
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A line that people read on stderr.
pub fn line(text: &str, columns: Option<usize>) -> String {
    wrapped(text, columns, INDENT)
}

/// `table` as its own text, if that fits; else a list of its rows.
pub fn table(table: &Table, columns: Option<usize>) -> String {
    fitting(table.markdown(), table, columns)
}

/// `text`, a way to show `table`, if it fits; else a list of its rows: what the first column has, and below it each other cell behind the
/// name of its column.
pub fn fitting(text: String, table: &Table, columns: Option<usize>) -> String {
    let rows = || text.lines().skip_while(|line| *line == table.title);
    if columns.is_none_or(|columns| rows().all(|line| width(line) <= columns)) {
        return match text.strip_prefix(&table.title) {
            Some(rest) => line(&table.title, columns) + rest,
            None => text,
        };
    }
    let mut list =
        if table.title.is_empty() { String::new() } else { format!("{}\n\n", line(&table.title, columns)) };
    for row in &table.rows {
        let mut cells = row.iter().zip(&table.columns).filter(|(cell, _)| !cell.is_empty());
        if let Some((head, _)) = cells.next() {
            list.push_str(&line(head, columns));
            list.push('\n');
        }
        for (cell, name) in cells {
            list.push_str(&line(&format!("{:INDENT$}{name}: {cell}", ""), columns));
            list.push('\n');
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_word_is_cut_and_none_is_lost(text in "[a-zä]{1,12}( {1,3}[a-z0-9.]{1,12}){0,30}", columns in 20_usize..100) {
            let lines = wrapped(&text, Some(columns), 2);
            prop_assert!(lines.lines().all(|line| width(line) <= columns), "{lines}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&lines), words(&text));
            prop_assert_eq!(wrapped(&text, None, 2), text);
        }
    }

    #[test]
    fn a_line_that_fits_keeps_its_gaps_and_one_that_does_not_goes_on_indented() {
        assert_eq!(wrapped("epoch 1/2  loss 0.5", Some(19), 2), "epoch 1/2  loss 0.5");
        assert_eq!(wrapped("epoch 1/2  loss 0.5", Some(18), 2), "epoch 1/2 loss 0.5");
        assert_eq!(wrapped("epoch 1/2  loss 0.5", Some(12), 2), "epoch 1/2\n  loss 0.5");
        assert_eq!(wrapped("  two words\nmore", Some(7), 2), "  two\n    words\nmore");
        assert_eq!(wrapped("into /a/path/that/is/long", Some(10), 2), "into\n  /a/path/that/is/long");
    }

    #[test]
    fn a_table_that_does_not_fit_is_a_list_of_all_of_its_cells() {
        let mut errors = Table::new("Errors of two methods", &["method", "test error (%)", "ms a step"]);
        errors.row(vec!["SGD, 40 epochs".into(), "1.84 \u{b1} 0.19".into(), String::new()]);
        errors.row(vec!["SAM".into(), "1.52 \u{b1} 0.18".into(), "0.162".into()]);
        assert_eq!(table(&errors, None), errors.markdown());
        assert_eq!(table(&errors, Some(80)), errors.markdown());
        let list = table(&errors, Some(20));
        let expected = "Errors of two\n  methods\n\nSGD, 40 epochs\n  test error (%):\n    1.84 \u{b1} 0.19\nSAM\n  \
                        test error (%):\n    1.52 \u{b1} 0.18\n  ms a step: 0.162\n";
        assert_eq!(list, expected);
    }
}
