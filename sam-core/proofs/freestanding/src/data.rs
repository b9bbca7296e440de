//! Networks as plain data.

use core::fmt::Write;
use core::hint::black_box as seen;

use sam_core::model::{Architecture, Graph, HiddenSizes, Name, Op, Shape, ShapeError, Tensor};

/// Follows the shapes of a network of up to 64 operations.
struct Shapes {
    shapes: [Shape; 64],
    count: usize,
}

impl Graph for Shapes {
    type Error = ShapeError;

    fn push(&mut self, name: Name, op: Op, inputs: &[Tensor]) -> Result<Tensor, ShapeError> {
        let input = inputs.first().and_then(|t| self.shapes.get(t.0)).copied().unwrap_or(Shape::new(0, 0, 0));
        let output = op.output_shape(input)?;
        for parameter in op.parameters(input) {
            seen((parameter.shape().len(), parameter.len(), parameter.is_empty()));
        }
        seen((op.multiply_adds(input), write!(Nothing, "{name}").is_ok()));
        self.count += 1;
        if let Some(shape) = self.shapes.get_mut(self.count) {
            *shape = output;
        }
        Ok(Tensor(self.count))
    }
}

struct Nothing;

impl Write for Nothing {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        seen(text);
        Ok(())
    }
}

pub fn exercise() {
    let image = seen(Shape::new(32, 32, 3));
    seen((image.pixels(), image.len(), image.is_empty(), Shape::vector(seen(3))));
    if let Some(hidden) = HiddenSizes::new(&seen([3, 5])) {
        describe(Architecture::Mlp { hidden }, image);
    }
    // Not from text: core's splitting of strings keeps a check that never fails.
    let others = [
        Architecture::LeNet,
        Architecture::ResNet { depth: seen(20) },
        Architecture::WideResNet { depth: seen(16), width: seen(4) },
    ];
    for architecture in seen(others) {
        describe(architecture, image);
    }
    seen((Name::new("a"), Name::numbered("b", seen(1)), Name::in_block(seen(1), seen(2), "c")));
}

fn describe(architecture: Architecture, image: Shape) {
    let mut graph = Shapes { shapes: [image; 64], count: 0 };
    seen(write!(Nothing, "{architecture}").is_ok());
    if let Err(error) = architecture.describe(image, seen(10), &mut graph) {
        seen(write!(Nothing, "{error}").is_ok());
    }
}
