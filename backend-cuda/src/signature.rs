//! The parameters of kernels, read off their PTX.

/// Bytes of each parameter of the kernel `name`; `None` if the module has no such kernel.
///
/// Declarations look like `.entry name( .param .u64 .ptr .global .align 4 name_param_0, .param .align 8 .b8 name_param_1[24] )`.
pub(crate) fn parameters(ptx: &str, name: &str) -> Option<Vec<usize>> {
    let after_name = ptx
        .match_indices(".entry ")
        .map(|(at, keyword)| ptx[at + keyword.len()..].trim_start())
        .find_map(|rest| rest.strip_prefix(name)?.trim_start().strip_prefix('('))?;
    let list = after_name.split(')').next()?;
    list.split(',').map(str::trim).filter(|declaration| !declaration.is_empty()).map(bytes).collect()
}

fn bytes(declaration: &str) -> Option<usize> {
    let of_type = declaration.split_whitespace().find_map(|word| match word {
        ".b8" | ".u8" | ".s8" => Some(1),
        ".b16" | ".u16" | ".s16" | ".f16" => Some(2),
        ".b32" | ".u32" | ".s32" | ".f32" => Some(4),
        ".b64" | ".u64" | ".s64" | ".f64" => Some(8),
        _ => None,
    })?;
    let count = match declaration.split_once('[') {
        Some((_, count)) => count.strip_suffix(']')?.parse().ok()?,
        None => 1,
    };
    Some(of_type * count)
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn parameters_are_read() {
        let ptx = "
.visible .entry first(
)
{ }
.visible .entry second(
\t.param .u64 .ptr .global .align 4 second_param_0,
\t.param .align 8 .b8 second_param_1[24],
\t.param .f32 second_param_2
)
";
        assert_eq!(parameters(ptx, "second"), Some(vec![8, 24, 4]));
        assert_eq!(parameters(ptx, "first"), Some(vec![]));
        assert_eq!(parameters(ptx, "sec"), None);
    }
}
