//! Figure 3, middle; section 4.1: how many images share a perturbation.

use crate::{
    experiment::{
        ExperimentError,
        arms::{self, Arm},
        design::{Design, Experiment},
        findings::{Findings, Picture},
        runner::Runner,
    },
    report::{
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::Table,
    },
    training::settings::Method,
};

/// Test error against the radius for each size of group.
#[derive(Debug, Clone)]
pub struct MAblation {
    /// Images in a group; at most a batch.
    pub ms: Vec<usize>,
    /// Radii.
    pub rhos: Vec<f64>,
}

impl Experiment for MAblation {
    const NAME: &'static str = "ablate-m";
    const PAPER: &'static str = "Figure 3 (middle), section 4.1";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let method = |m, rho| {
            // One group is SAM; its runs are those of other experiments too.
            if m >= design.base.batch.largest() { Method::sam(rho) } else { Method::MSharpness { rho, m } }
        };
        let mut arms = vec![Arm::new(design.named("SGD"), design.with(Method::Sgd))];
        for &m in &self.ms {
            let arm = |&rho: &f64| Arm::new(format!("m = {m}, rho {rho}"), design.with(method(m, rho)));
            arms.extend(self.rhos.iter().map(arm));
        }
        let results = arms::compare(runner, &arms, design, &design.data)?;
        let (sgd, rest) = results.split_at(1);
        let rows: Vec<_> = self.ms.iter().zip(rest.chunks(self.rhos.len())).collect();

        let title = format!("Images that share a perturbation: {}", design.subject());
        let mut columns = vec![design.data.evaluated_on.error_percent()];
        columns.extend(self.rhos.iter().map(|rho| format!("rho {rho}")));
        let mut table = Table { title: title.clone(), columns, rows: Vec::new() };
        let mut findings = Findings::default();
        for (m, results) in &rows {
            let cells = results.iter().map(|result| result.outcome.cell());
            table.row([format!("m = {m}")].into_iter().chain(cells).collect());
            for (rho, result) in self.rhos.iter().zip(results.iter()) {
                findings.line(&serde_json::json!({ "m": m, "rho": rho, "result": result }));
            }
        }
        let reference = sgd[0].outcome.cell();
        findings
            .sentences
            .push(format!("{}: {reference} %. Each row of the table has one size of group.", sgd[0].name));
        let (smallest, largest) = (rows.iter().min_by_key(|row| row.0), rows.iter().max_by_key(|row| row.0));
        if let (Some((small, a)), Some((large, b))) = (smallest, largest)
            && small != large
        {
            findings.sentences.extend(arms::sentences(a.iter().zip(b.iter())));
        }
        findings.tables.push(table);

        let x = Horizontal::Categories("rho".into(), self.rhos.iter().map(f64::to_string).collect());
        let mut series: Vec<Series> = rows
            .iter()
            .enumerate()
            .map(|(color, (m, results))| Series {
                name: format!("m = {m}"),
                color,
                style: Style::Line,
                points: results
                    .iter()
                    .enumerate()
                    .map(|(i, r)| Point { x: i as f64, y: r.outcome.error })
                    .collect(),
            })
            .collect();
        let ends = [0.0, self.rhos.len() as f64 - 1.0];
        let points = ends.map(|x| Point::exact(x, sgd[0].outcome.error.mean)).to_vec();
        series.push(Series { name: sgd[0].name.clone(), color: 0, style: Style::Dashed, points });
        let panel = Panel {
            title: "Mean and 95 % confidence interval".into(),
            x,
            y: design.data.evaluated_on.error_percent(),
            from_zero: false,
            logarithmic: arms::needs_logarithm(&results),
            series,
        };
        findings.pictures.push(Picture::figure("m", Figure { title, panels: vec![panel] }));
        Ok(findings)
    }
}
