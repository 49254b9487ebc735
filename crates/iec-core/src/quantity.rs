//! Amounts of resources as Kubernetes writes and reads them: `resource.Quantity`.

/// Nano-units in a unit: Kubernetes keeps no finer fraction.
const NANO: u128 = 1_000_000_000;
/// The most whole units that Kubernetes keeps; what is more becomes this.
const MOST: u128 = i64::MAX as u128;

/// An amount that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    nanos: u128,
}

impl Quantity {
    /// The amount that a text is, such as `1.5Gi`, `100m`, `1e3` or `.5`.
    ///
    /// Negative ones are none: Kubernetes reads them, but takes them for no amount of a resource.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+').unwrap_or(text);
        let end = text
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (factor, tens) = scale(suffix)?;
        Some(Self {
            nanos: nanos(whole, fraction, factor, tens),
        })
    }

    /// Whether it is nothing at all.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// The amount in whole units, rounded up as Kubernetes does it.
    #[must_use]
    pub fn units(self) -> u64 {
        u64::try_from(self.nanos.div_ceil(NANO)).unwrap_or(u64::MAX)
    }

    /// The amount in thousandths of a unit, rounded up.
    #[must_use]
    pub fn thousandths(self) -> u64 {
        u64::try_from(self.nanos.div_ceil(NANO / 1000)).unwrap_or(u64::MAX)
    }
}

/// By what a suffix multiplies, and by what power of ten after that.
fn scale(suffix: &str) -> Option<(u128, i32)> {
    let decimal = |tens| Some((1, tens));
    let binary = |bits: u32| Some((1_u128 << bits, 0));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            decimal(exponent.parse().ok().filter(|_| plain)?)
        }
    }
}

/// `whole.fraction` times `factor` times ten to the power of `tens`, in nano-units, rounded up and at most [`MOST`].
fn nanos(whole: &str, fraction: &str, factor: u128, tens: i32) -> u128 {
    // Every digit counts ten times as much as the next; those below a nano-unit only round up.
    let mut power = tens.saturating_add(9);
    power = power.saturating_add(i32::try_from(whole.len()).unwrap_or(i32::MAX));
    let (mut total, mut rest) = (0_u128, false);
    for digit in whole.bytes().chain(fraction.bytes()) {
        power = power.saturating_sub(1);
        let digit = u128::from(digit - b'0');
        if digit == 0 {
            continue;
        }
        match u32::try_from(power) {
            Ok(power) => {
                let value = 10_u128
                    .checked_pow(power)
                    .and_then(|value| value.checked_mul(digit * factor));
                total = value
                    .and_then(|value| total.checked_add(value))
                    .unwrap_or(u128::MAX);
            }
            // Binary suffixes make a small digit large again.
            Err(_) => match 10_u128.checked_pow(power.unsigned_abs()) {
                Some(divisor) => {
                    total = total.saturating_add(digit * factor / divisor);
                    rest |= !(digit * factor).is_multiple_of(divisor);
                }
                None => rest = true,
            },
        }
    }
    total.saturating_add(u128::from(rest)).min(MOST * NANO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_kubernetes() {
        for (text, thousandths) in [
            ("0", 0),
            ("100m", 100),
            ("1.5", 1500),
            (".5", 500),
            ("5.", 5000),
            ("+1", 1000),
            ("001", 1000),
            ("1k", 1_000_000),
            ("1e3", 1_000_000),
            ("1E3", 1_000_000),
            ("1e+3", 1_000_000),
            ("5e-1", 500),
            ("1Ki", 1_024_000),
            ("0.5Ki", 512_000),
            ("1n", 1),
            ("0.1n", 1),
            ("1e-30", 1),
            ("256Mi", 268_435_456_000),
        ] {
            let read = Quantity::parse(text).map(Quantity::thousandths);
            assert_eq!(read, Some(thousandths), "{text}");
        }
        for text in [
            "",
            ".",
            "+",
            "Mi",
            "-1",
            "1 Gi",
            "1GB",
            "1K",
            "1ki",
            "1e",
            "1e3x",
            "1e1.5",
            "5%",
            "1..2",
            "1.1.1",
            "1mi",
            "1Ee3",
            "1+3",
            "++1",
            " 1",
            "1e99999999999",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_compared_by_what_they_are() {
        let of = |text| Quantity::parse(text).expect(text);
        assert!(of("1Gi") > of("1G") && of("1024Mi") == of("1Gi") && of("1e3") == of("1k"));
        assert_eq!(of("1.5Gi").units(), 1_610_612_736);
        assert_eq!(of("100m").units(), 1);
        assert!(of("0n").is_zero() && !of("1n").is_zero());
        assert_eq!(of("16Ei"), of("99999999999999999999999999999999999999999999"));
        assert_eq!(of("1e2000000000").units(), i64::MAX.unsigned_abs());
    }
}
