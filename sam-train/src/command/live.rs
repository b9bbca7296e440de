//! A run under way as curves in the terminal.
//!
//! It takes a few rows below what was printed before and leaves them as they were last: nothing is cleared, keys are not read, and
//! Ctrl-C does what it does without it.

use std::{
    io::{self, Stderr},
    time::{Duration, Instant},
};

use ratatui::{
    Frame, Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph, Widget as _, Wrap},
};

use super::columns;
use crate::training::{evaluated::Evaluated, metrics::EpochMetrics};

/// Rows that it takes at most, and at least.
const ROWS: [u16; 2] = [16, 11];
/// Columns that it needs.
const COLUMNS: u16 = 40;
/// Columns from which on loss and error stand side by side; on fewer there is the error alone.
const BOTH: u16 = 70;
/// The time between two drawings.
const EVERY: Duration = Duration::from_millis(150);

/// The rows of a terminal that show a run.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    view: View,
    began: Instant,
    /// Steps that were done before it began.
    before: u64,
    drawn: Option<Instant>,
}

/// What is shown.
#[derive(Debug, Clone, Default)]
struct View {
    history: Vec<EpochMetrics>,
    epochs: usize,
    evaluated_on: Evaluated,
    steps: u64,
    done: u64,
    /// What the rest takes, once that can be told.
    remaining: Option<Duration>,
}

impl Screen {
    /// Rows of stderr for `steps` steps, `done` of which were done before; nothing where the terminal is too small or does not tell
    /// where its cursor is.
    pub fn open(steps: u64, done: u64) -> Option<Self> {
        let (columns, rows) = ratatui::crossterm::terminal::size().ok()?;
        let height = ROWS[0].min(rows.saturating_sub(1));
        if columns < COLUMNS || height < ROWS[1] {
            return None;
        }
        let backend = CrosstermBackend::new(io::stderr());
        let options = TerminalOptions { viewport: Viewport::Inline(height) };
        let terminal = Terminal::with_options(backend, options).ok()?;
        let view = View { steps, done, ..View::default() };
        Some(Self { terminal, view, began: Instant::now(), before: done, drawn: None })
    }

    /// `done` steps are done in all.
    pub fn progress(&mut self, done: u64) {
        self.view.done = done;
        let own = done.saturating_sub(self.before);
        if own > 0 {
            let left = self.view.steps.saturating_sub(done) as f64 / own as f64;
            self.view.remaining = Duration::try_from_secs_f64(self.began.elapsed().as_secs_f64() * left).ok();
        }
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.draw();
        }
    }

    /// An epoch of `epochs` is done, evaluated on those images.
    pub fn epoch(&mut self, metrics: EpochMetrics, epochs: usize, evaluated_on: Evaluated) {
        self.view.evaluated_on = evaluated_on;
        self.view.epochs = epochs;
        self.view.history.push(metrics);
        self.draw();
    }

    /// Prints a line above.
    pub fn line(&mut self, text: &str) {
        let columns = usize::from(self.terminal.get_frame().area().width.max(1));
        // A word that is longer than a line is cut, in this terminal of its own.
        let text = columns::line(text, Some(columns));
        let rows: usize = text.lines().map(|line| line.chars().count().div_ceil(columns).max(1)).sum();
        let paragraph = Paragraph::new(text).wrap(Wrap { trim: false });
        // That nobody may be looking is no reason to stop the work.
        let _ = self
            .terminal
            .insert_before(rows.clamp(1, 10) as u16, |buffer| paragraph.render(buffer.area, buffer));
    }

    /// Leaves the curves, and the cursor below them.
    pub fn close(mut self) {
        self.draw();
        let bottom = self.terminal.get_frame().area().bottom().saturating_sub(1);
        let _ = self.terminal.set_cursor_position((0, bottom));
        let _ = self.terminal.show_cursor();
        eprintln!();
    }

    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        let view = &self.view;
        let _ = self.terminal.draw(|frame| view.draw(frame));
    }
}

impl View {
    fn draw(&self, frame: &mut Frame<'_>) {
        let rows = [Constraint::Min(3), Constraint::Length(1), Constraint::Length(1)];
        let [curves, facts, gauge] = Layout::vertical(rows).areas(frame.area());
        if curves.width < BOTH {
            self.errors(frame, curves);
        } else {
            let [left, right] =
                Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2).areas(curves);
            self.losses(frame, left);
            self.errors(frame, right);
        }
        frame.render_widget(Line::from(self.facts()), facts);
        let share = if self.steps == 0 { 1.0 } else { self.done as f64 / self.steps as f64 };
        let left = self.remaining.map_or(String::new(), |left| format!(", {} to go", time(left)));
        let label = format!("{:>3.0} %{left}", 100.0 * share);
        let line =
            LineGauge::default().ratio(share.clamp(0.0, 1.0)).label(label).filled_style(Style::new().bold());
        frame.render_widget(line, gauge);
    }

    /// What the latest epoch gave.
    fn facts(&self) -> String {
        let Some(latest) = self.history.last() else { return "no epoch is done yet".to_owned() };
        let number = |name, number: Option<f64>, unit| {
            number.map_or(String::new(), |number| format!("  {name} {number:.3}{unit}"))
        };
        let speed = latest.images_per_s.map_or(String::new(), |rate| format!("  {rate:.0} img/s"));
        format!(
            "epoch {}/{}{}{}{}{}{}",
            latest.epoch,
            self.epochs,
            number(self.evaluated_on.name(), latest.test_error, " %"),
            number("loss", Some(latest.train_loss), ""),
            number("gradient", latest.gradient_norm, ""),
            number("sharpness", latest.sharpness, ""),
            speed
        )
    }

    fn points(&self, of: impl Fn(&EpochMetrics) -> Option<f64>) -> Vec<(f64, f64)> {
        let point =
            |epoch: &EpochMetrics| Some((epoch.epoch as f64, of(epoch).filter(|value| value.is_finite())?));
        self.history.iter().filter_map(point).collect()
    }

    fn losses(&self, frame: &mut Frame<'_>, area: Rect) {
        // A loss falls by powers of ten.
        let log = |loss: f64| (loss > 0.0).then(|| loss.log10());
        let train = self.points(|epoch| log(epoch.train_loss));
        let test = self.points(|epoch| epoch.test_loss.and_then(log));
        let values = || train.iter().chain(&test).map(|&(_, value)| value);
        let bounds = [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)];
        let bounds = if bounds[0] < bounds[1] { bounds } else { [-1.0, 0.0] };
        let labels = bounds.map(|bound| format!("{:.3}", f64::powf(10.0, bound)));
        self.chart(frame, area, "loss, log scale", [&train, &test], bounds, labels);
    }

    fn errors(&self, frame: &mut Frame<'_>, area: Rect) {
        let train = self.points(|epoch| epoch.train_error);
        let test = self.points(|epoch| epoch.test_error);
        let highest = train.iter().chain(&test).map(|&(_, value)| value).fold(0.0, f64::max);
        let top = if highest > 0.0 { highest } else { 1.0 };
        self.chart(
            frame,
            area,
            "error, %",
            [&train, &test],
            [0.0, top],
            ["0".to_owned(), format!("{top:.1}")],
        );
    }

    /// Two curves over the epochs, told apart by their marks too.
    fn chart(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        title: &str,
        [train, test]: [&[(f64, f64)]; 2],
        bounds: [f64; 2],
        labels: [String; 2],
    ) {
        let last = self.epochs.max(2) as f64;
        let [blue, yellow] = [Color::Blue, Color::Yellow].map(|color| Style::new().fg(color));
        let curve = |marker, style, points| {
            Dataset::default().marker(marker).graph_type(GraphType::Line).style(style).data(points)
        };
        let title = vec![
            Span::raw(format!("{title}:  ")),
            Span::styled("\u{2812} training", blue),
            Span::raw("  "),
            Span::styled(format!("\u{2022} {}", self.evaluated_on), yellow),
        ];
        let chart = Chart::new(vec![curve(Marker::Braille, blue, train), curve(Marker::Dot, yellow, test)])
            .block(Block::new().title(Line::from(title)))
            .x_axis(Axis::default().bounds([1.0, last]).labels(["1".to_owned(), format!("{last} epochs")]))
            .y_axis(Axis::default().bounds(bounds).labels(labels));
        frame.render_widget(chart, area);
    }
}

/// A time for people.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::backend::TestBackend;

    fn view(epochs: usize) -> View {
        let epoch = |epoch: usize| EpochMetrics {
            epoch,
            train_loss: 2.0 / epoch as f64,
            train_error: Some(80.0 / epoch as f64),
            test_error: epoch.is_multiple_of(2).then_some(90.0 / epoch as f64),
            gradient_norm: Some(1.5),
            sharpness: Some(0.25),
            images_per_s: Some(1234.0),
            ..EpochMetrics::default()
        };
        View {
            history: (1..=epochs).map(epoch).collect(),
            epochs: 20,
            evaluated_on: Evaluated::Test,
            steps: 100,
            done: 5 * epochs as u64,
            remaining: Some(Duration::from_secs(3725)),
        }
    }

    fn drawn(view: &View, columns: u16, rows: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn curves_figures_and_time_are_there_at_any_width() {
        for (columns, rows) in [(40, 11), (80, 16), (200, 16)] {
            let text = drawn(&view(6), columns, rows);
            for expected in ["error, %: ", "epoch 6/20", "30 %", "1:02:05 to go"] {
                assert!(text.contains(expected), "{expected} at {columns} columns:\n{text}");
            }
            let dots = text.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
            assert!(dots > 5, "a curve at {columns} columns:\n{text}");
            assert!(text.contains("loss"), "{text}");
        }
    }

    #[test]
    fn before_the_first_epoch_and_after_figures_that_are_not_finite_something_is_shown() {
        assert!(drawn(&view(0), 80, 16).contains("no epoch is done yet"));
        let mut diverged = view(2);
        diverged.history[1].train_loss = f64::NAN;
        diverged.history[1].train_error = Some(f64::INFINITY);
        assert!(drawn(&diverged, 80, 16).contains("epoch 2/20"));
    }
}
