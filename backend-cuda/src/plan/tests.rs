//! The plan carried out with numbers in place of tensors, on random networks: no device is needed to see that nothing is
//! overwritten too early, added twice or forgotten.

use proptest::prelude::*;
use sam_model::{Architecture, Description, DescriptionError, Graph, Name, Op, Padding, Shape, Tensor};

use super::{Backward, Plan};

const IMAGE: Shape = Shape::new(4, 4, 3);
const CONV: Op =
    Op::Conv { channels: 3, kernel: 3, stride: 1, padding: Padding::Explicit(1), groups: 1, bias: false };

/// Operations under description, and which of their outputs nobody has read.
struct Pushing<'a> {
    graph: &'a mut Graph,
    made: Vec<Tensor>,
    unread: Vec<Tensor>,
}

impl Pushing<'_> {
    fn push(&mut self, op: Op, inputs: &[Tensor]) -> Result<Tensor, DescriptionError> {
        let tensor = self.graph.push(Name::numbered("op", self.made.len()), op, inputs)?;
        self.unread.retain(|tensor| !inputs.contains(tensor));
        self.unread.push(tensor);
        self.made.push(tensor);
        Ok(tensor)
    }
}

/// Operations that keep the shape, each on tensors chosen among those before, then a dense layer on the sum of all that
/// nobody read.
fn network(choices: &[(u8, usize, usize)]) -> Description {
    let described = Description::new(IMAGE, 2, |graph| {
        let mut pushing = Pushing { graph, made: Vec::new(), unread: Vec::new() };
        pushing.push(CONV, &[Tensor::INPUT])?;
        for &(op, first, second) in choices {
            let made = &pushing.made;
            let (first, second) = (made[first % made.len()], made[second % made.len()]);
            match op {
                0 => pushing.push(CONV, &[first])?,
                1 | 2 => pushing.push(Op::Relu, &[first])?,
                3 | 4 => pushing.push(Op::BATCH_NORM, &[first])?,
                5 => pushing
                    .push(Op::MaxPool { size: 1, stride: 1, padding: Padding::Explicit(0) }, &[first])?,
                6 => pushing.push(Op::Swish, &[first])?,
                7 => pushing.push(Op::Dropout { rate: 0.5 }, &[first])?,
                8 => pushing.push(Op::Sigmoid, &[first])?,
                9 => pushing.push(Op::ShakeShake, &[first, second])?,
                _ => pushing.push(Op::Add, &[first, second])?,
            };
        }
        while let [first, second, ..] = pushing.unread[..] {
            pushing.push(Op::Add, &[first, second])?;
        }
        let flat = pushing.push(Op::Flatten, &[pushing.unread[0]])?;
        pushing.push(Op::Dense { outputs: 2 }, &[flat])
    });
    let Ok(description) = described else { unreachable!("all shapes fit") };
    description
}

/// What a step multiplies its output's gradient by; 1 where the gradient is passed on.
fn slope(plan: &Plan, step: usize) -> f64 {
    let passes_on = matches!(plan.steps[step].op, Op::Add | Op::Flatten);
    let fused = plan.steps[step].op == Op::Relu && plan.steps[step].skip;
    if passes_on || fused { 1.0 } else { 1.0 + (step + 1) as f64 / 64.0 }
}

/// The gradient of each tensor, by the chain rule and nothing else.
fn gradients(plan: &Plan) -> Vec<f64> {
    let mut gradients = vec![0.0; plan.steps.len() + 1];
    gradients[plan.steps.len()] = 1.0;
    for (i, step) in plan.steps.iter().enumerate().rev() {
        for &input in &step.inputs {
            gradients[input] += slope(plan, i) * gradients[step.output];
        }
    }
    gradients
}

/// Which tensor's values each buffer has after the forward pass, and of each tensor the one whose values it shares.
fn forward(plan: &Plan) -> (Vec<usize>, Vec<usize>) {
    let mut holds = vec![usize::MAX; plan.value_lens.len()];
    let mut same = vec![0];
    holds[plan.values[0]] = 0;
    for step in &plan.steps {
        for &input in &step.inputs {
            assert_eq!(holds[plan.values[input]], same[input], "{step:?} reads what has been overwritten");
        }
        if step.skip {
            same.push(same[step.inputs[0]]);
        } else {
            holds[plan.values[step.output]] = step.output;
            same.push(step.output);
        }
    }
    (holds, same)
}

fn check(description: &Description) {
    let plan = Plan::new(description);
    let expected = gradients(&plan);
    let (holds, same) = forward(&plan);
    let mut buffers = vec![f64::NAN; plan.gradient_lens.len()];
    buffers[plan.d_logits] = 1.0;
    let mut parameters = 0;
    for action in &plan.backward {
        match *action {
            Backward::Copy { from, to, .. } => buffers[to] = buffers[from],
            Backward::Add { from, to, .. } => buffers[to] += buffers[from],
            Backward::Layer { step, position, d_output, d_input } => {
                let own = &plan.steps[step];
                let gradient = buffers[d_output];
                assert!((gradient - expected[own.output]).abs() < 1e-9 * gradient.abs(), "{own:?}");
                let (input, output) = (own.inputs[position], own.output);
                match own.op {
                    Op::Relu => assert_eq!(holds[plan.values[output]], same[output], "{own:?}: its output"),
                    Op::MaxPool { .. } | Op::Dropout { .. } | Op::DropConnect { .. } | Op::ShakeShake => {}
                    _ => assert_eq!(holds[plan.values[input]], same[input], "{own:?}: its input"),
                }
                parameters += usize::from(!own.params.is_empty());
                if let Some((to, accumulate)) = d_input {
                    let in_place = matches!(
                        own.op,
                        Op::Relu
                            | Op::Swish
                            | Op::Sigmoid
                            | Op::BatchNorm(_)
                            | Op::Dropout { .. }
                            | Op::DropConnect { .. }
                    );
                    assert!(to != d_output || in_place, "{own:?} in place");
                    let share = slope(&plan, step) * gradient;
                    buffers[to] = if accumulate { buffers[to] + share } else { share };
                    let len = plan.gradient_lens[to];
                    assert!(len >= description.shape(input).len(), "{own:?}: {len} values for its input");
                }
            }
        }
    }
    let all = plan.steps.iter().filter(|step| !step.params.is_empty()).count();
    assert_eq!(parameters, all, "every parameter gets its gradient");
}

proptest! {
    #[test]
    fn plans_do_what_the_chain_rule_says(
        choices in proptest::collection::vec((0u8..12, any::<usize>(), any::<usize>()), 0..14),
    ) {
        check(&network(&choices));
    }
}

/// The usual networks need no copies, and few buffers for gradients however deep they are.
#[test]
fn residual_networks_reuse_a_few_buffers() {
    for (name, most) in [
        ("lenet", 2),
        ("resnet-32", 4),
        ("wrn-28-10", 4),
        ("efficientnet-b0", 5),
        ("shake-shake-26-2x32d", 5),
    ] {
        let image = Shape::new(32, 32, 3);
        let Ok(architecture) = name.parse::<Architecture>() else { unreachable!("{name}") };
        let Ok(description) = architecture.describe(image, 10) else { unreachable!("{name}") };
        check(&description);
        let plan = Plan::new(&description);
        let copies = plan.backward.iter().filter(|action| matches!(action, Backward::Copy { .. })).count();
        assert_eq!(copies, 0, "{name}");
        assert!(plan.gradient_lens.len() <= most, "{name}: {:?}", plan.gradient_lens);
    }
}
