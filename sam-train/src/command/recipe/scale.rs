//! A recipe for a small machine: fewer epochs, narrower networks, fewer images, and a sentence that says so.

use super::Recipe;

impl Recipe {
    /// The recipe with epochs, width and training images shrunk to the share `scale`, and what became of them. The batch shrinks only as
    /// far as the images are fewer than one.
    pub(super) fn scaled(&self, scale: f64) -> (Self, String) {
        let shrunk = |count: usize, least: usize| {
            ((count as f64 * scale).round() as usize).clamp(least.min(count), count)
        };
        let mut recipe = self.clone();
        recipe.epochs = shrunk(self.epochs, 1);
        let images = shrunk(self.data.images, LEAST_IMAGES);
        recipe.limit = (images < self.data.images).then_some(images);
        recipe.batch = self.batch.min(images);
        if recipe.batch < self.batch {
            // As many groups as the batch has room for.
            recipe.m = self.m.min(recipe.batch);
            recipe.batch -= recipe.batch % recipe.m;
        }
        let narrower = narrower(&self.model, scale);
        let width = match &narrower {
            Some(model) if *model != self.model => format!("{model} for {}", self.model),
            Some(_) => format!("{} as it is", self.model),
            None => format!("{}, which has one width", self.model),
        };
        recipe.model = narrower.unwrap_or_else(|| self.model.clone());
        let changes = format!(
            "{} of {} epochs, {images} of {} training images in batches of {}, {width}",
            recipe.epochs, self.epochs, self.data.images, recipe.batch
        );
        (recipe, changes)
    }
}

/// Fewer images are no data set of any kind.
const LEAST_IMAGES: usize = 64;

/// The network of the same family that has `scale` times the width, where the family has widths.
fn narrower(model: &str, scale: f64) -> Option<String> {
    let times = |width: &str, step: usize| -> Option<usize> {
        let width: usize = width.parse().ok()?;
        Some((((width as f64 * scale) / step as f64).round() as usize).max(1) * step)
    };
    if let Some(rest) = model.strip_prefix("wrn-") {
        let mut parts = rest.splitn(3, '-');
        let (depth, width, kind) = (parts.next()?, times(parts.next()?, 1)?, parts.next());
        return Some(format!("wrn-{depth}-{width}{}", kind.map_or(String::new(), |kind| format!("-{kind}"))));
    }
    if let Some(rest) = model.strip_prefix("shake-shake-26-2x") {
        // Either path of a shortcut has half of the channels.
        return Some(format!("shake-shake-26-2x{}d", times(rest.strip_suffix('d')?, 4)?));
    }
    if let Some(rest) = model.strip_prefix("pyramidnet-") {
        let mut parts = rest.splitn(3, '-');
        let (depth, width, kind) = (parts.next()?, times(parts.next()?, 1)?, parts.next());
        return Some(format!(
            "pyramidnet-{depth}-{width}{}",
            kind.map_or(String::new(), |kind| format!("-{kind}"))
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_keep_their_family_and_depth() {
        for (model, scale, expected) in [
            ("wrn-28-10", 0.1, Some("wrn-28-1")),
            ("wrn-28-10", 1.0, Some("wrn-28-10")),
            ("wrn-40-10-nobn", 0.01, Some("wrn-40-1-nobn")),
            ("shake-shake-26-2x96d", 0.05, Some("shake-shake-26-2x4d")),
            ("pyramidnet-272-200-shakedrop", 0.1, Some("pyramidnet-272-20-shakedrop")),
            ("resnet-50", 0.1, None),
        ] {
            assert_eq!(narrower(model, scale).as_deref(), expected, "{model} {scale}");
        }
    }
}
