//! A network's operations as JSON, for whoever builds it again around its tensors: `sam-train/python/load_export.py` does for PyTorch.

use sam_model::{Description, Node, Op, Padding};
use serde_json::{Value, json};

/// A list of objects, one for each operation in the order in which they are computed: `name`, `op`, `inputs` (0 is the image, `i + 1`
/// what operation `i` made) and what the operation is told. Windows have `before` and `behind`, the zeros around rows and columns.
pub fn encode(description: &Description) -> Value {
    let node = |node: &Node| {
        let mut object = json!({ "name": node.name.to_string(), "inputs": node.inputs });
        let input = description.shape(node.inputs[0]);
        let windows = |object: &mut Value, size: usize, stride: usize, padding: Padding| {
            let along =
                |extent| padding.windows(extent, size, stride).map_or((0, 0), |w| (w.before, w.behind));
            let (rows, columns) = (along(input.height), along(input.width));
            object["stride"] = stride.into();
            object["before"] = json!([rows.0, columns.0]);
            object["behind"] = json!([rows.1, columns.1]);
        };
        let word = match node.op {
            Op::Flatten => "flatten",
            Op::Dense { .. } | Op::Classify { .. } => "dense",
            Op::Conv { kernel, stride, padding, groups, .. } => {
                object["groups"] = groups.into();
                windows(&mut object, kernel, stride, padding);
                "conv"
            }
            Op::BatchNorm(settings) => {
                object["epsilon"] = settings.epsilon.into();
                "batch-norm"
            }
            Op::Relu => "relu",
            Op::Relu6 => "relu6",
            Op::Swish => "swish",
            Op::Sigmoid => "sigmoid",
            Op::MaxPool { size, stride, padding } | Op::AvgPool { size, stride, padding } => {
                object["size"] = size.into();
                windows(&mut object, size, stride, padding);
                if matches!(node.op, Op::MaxPool { .. }) { "max-pool" } else { "average-pool" }
            }
            Op::GlobalAvgPool => "mean",
            Op::Subsample { stride, shift } => {
                (object["stride"], object["shift"]) = (stride.into(), shift.into());
                "subsample"
            }
            Op::PadChannels { channels } => {
                object["channels"] = channels.into();
                "pad-channels"
            }
            Op::Dropout { .. } | Op::DropConnect { .. } => "identity",
            Op::Concat => "concat",
            Op::Scale => "scale",
            Op::Add => "add",
            Op::ShakeShake => "average",
            Op::ShakeDrop { keep } => {
                object["keep"] = keep.into();
                "times"
            }
        };
        object["op"] = word.into();
        object
    };
    description.nodes().iter().map(node).collect()
}
