//! A loss over a plane through the weights, as data.

/// A loss on a square grid: the rows are at `steps` in y, the columns in x.
#[derive(Debug, Clone)]
pub struct Surface {
    /// What the loss is of.
    pub name: String,
    /// Coordinates, ascending, of rows and of columns.
    pub steps: Vec<f64>,
    /// Row by row.
    pub losses: Vec<f64>,
}
