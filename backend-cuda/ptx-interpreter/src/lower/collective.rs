//! Barriers, and what the lanes of a warp do together.

use super::{Lowering, Request};
use crate::alu::{self, Function};
use crate::ast::{Operand, Type};
use crate::error::ParseError;
use crate::program::{Barrier, Op, Reduction, Shuffle, ShuffleMode, Vote};

impl Lowering<'_> {
    /// Lowers an instruction that threads execute together; `false` if `name` is none.
    pub(super) fn collective(&mut self, name: &str, r: &mut Request<'_>) -> Result<bool, ParseError> {
        let op = match name {
            "bar" if r.modifiers.take("warp") => {
                r.modifiers.take("sync");
                let [members] = r.exactly()?;
                Op::WarpBarrier { members: self.source(members, Type::U32, r)? }
            }
            "bar" | "barrier" => self.barrier(r)?,
            "shfl" => self.shuffle(r)?,
            "vote" => self.vote(r)?,
            "match" => self.matching(r)?,
            "redux" => self.redux(r)?,
            "mma" => self.multiply(r)?,
            "activemask" => {
                r.take_type()?;
                let [d] = r.exactly()?;
                Op::ActiveMask { d: self.result(d, r)?.0 }
            }
            _ => return Ok(false),
        };
        self.emit(op, r.guard, r.line)?;
        Ok(true)
    }

    fn barrier(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        r.modifiers.take("cta");
        r.modifiers.take("aligned");
        let arrive = r.modifiers.take("arrive");
        if r.modifiers.take("red") {
            return self.barrier_reduction(r);
        }
        if !arrive && !r.modifiers.take("sync") {
            return Err(r.error("is not a barrier that the interpreter has"));
        }
        let (id, threads) = match r.operands {
            [id] if !arrive => (id, None),
            [id, threads] => (id, Some(self.source(threads, Type::U32, r)?)),
            _ => return Err(r.error("has a wrong number of operands")),
        };
        Ok(Op::Barrier(Barrier { id: self.source(id, Type::U32, r)?, threads, arrive, reduce: None }))
    }

    fn barrier_reduction(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let kind = r.modifiers.take_any(&[("and", 0), ("or", 1), ("popc", 2)]);
        r.take_type()?;
        let (d, id, threads, a) = match r.operands {
            [d, id, a] => (d, id, None, a),
            [d, id, threads, a] => (d, id, Some(self.source(threads, Type::U32, r)?), a),
            _ => return Err(r.error("has a wrong number of operands")),
        };
        let result = match kind {
            Some(2) => Reduction::Popc(self.result(d, r)?.0),
            Some(kind) => {
                let d = self.predicate_result(d, r)?.ok_or_else(|| r.error("needs a result"))?;
                if kind == 0 { Reduction::And(d) } else { Reduction::Or(d) }
            }
            None => return Err(r.error("reduces by .and, .or or .popc")),
        };
        let reduce = Some((result, self.condition(a, r)?));
        Ok(Op::Barrier(Barrier { id: self.source(id, Type::U32, r)?, threads, arrive: false, reduce }))
    }

    fn shuffle(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        r.take_type()?;
        if !r.modifiers.take("sync") {
            return Err(r.error("without .sync is for devices before sm_70"));
        }
        let modes = [
            ("up", ShuffleMode::Up),
            ("down", ShuffleMode::Down),
            ("bfly", ShuffleMode::Bfly),
            ("idx", ShuffleMode::Idx),
        ];
        let mode = r.modifiers.take_any(&modes).ok_or_else(|| r.error("needs .up, .down, .bfly or .idx"))?;
        let [d, a, b, c, members] = r.exactly()?;
        let (d, p) = match d {
            Operand::Pair(d, p) => (&**d, self.predicate_result(p, r)?),
            d => (d, None),
        };
        Ok(Op::Shuffle(Box::new(Shuffle {
            mode,
            d: self.result(d, r)?.0,
            p,
            a: self.source(a, Type::B32, r)?,
            b: self.source(b, Type::B32, r)?,
            c: self.source(c, Type::B32, r)?,
            members: self.source(members, Type::B32, r)?,
        })))
    }

    fn vote(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        r.take_type()?;
        if !r.modifiers.take("sync") {
            return Err(r.error("without .sync is for devices before sm_70"));
        }
        let votes = [("all", Vote::All), ("any", Vote::Any), ("uni", Vote::Uni), ("ballot", Vote::Ballot)];
        let vote =
            r.modifiers.take_any(&votes).ok_or_else(|| r.error("needs .all, .any, .uni or .ballot"))?;
        let [d, a, members] = r.exactly()?;
        let (a, members) = (self.condition(a, r)?, self.source(members, Type::B32, r)?);
        if vote == Vote::Ballot {
            return Ok(Op::Vote { vote, d: self.result(d, r)?.0, p: 0, a, members });
        }
        let p = self.predicate_result(d, r)?.ok_or_else(|| r.error("needs a result"))?;
        Ok(Op::Vote { vote, d: 0, p, a, members })
    }

    fn matching(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        r.modifiers.take("sync");
        let all = r.modifiers.take("all");
        if !all && !r.modifiers.take("any") {
            return Err(r.error("needs .any or .all"));
        }
        let [d, a, members] = r.exactly()?;
        let (d, p) = match d {
            Operand::Pair(d, p) if all => (&**d, self.predicate_result(p, r)?),
            d => (d, None),
        };
        let (d, a) = (self.result(d, r)?.0, self.source(a, ty, r)?);
        Ok(Op::Match { all, wide: ty.size() == 8, d, p, a, members: self.source(members, Type::B32, r)? })
    }

    fn redux(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        r.modifiers.take("sync");
        let name = ["add", "min", "max", "and", "or", "xor"].into_iter().find(|name| r.modifiers.take(name));
        let found = name.and_then(|name| alu::function(name, &mut r.modifiers));
        let Some((Function::Binary(f), ty)) = found else { return Err(r.error("is not a reduction it has")) };
        let [d, a, members] = r.exactly()?;
        let (d, a) = (self.result(d, r)?.0, self.source(a, ty, r)?);
        Ok(Op::Reduce { f, d, a, members: self.source(members, Type::B32, r)? })
    }
}
