//! By which of a model's rates an answer was served: a tier, a speed, a region.

/// As the answer says it: nothing, where it doesn't speak of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub tier: Option<String>,
    pub speed: Option<String>,
    pub region: Option<String>,
}

impl Served {
    pub fn by_tier(tier: &str) -> Self {
        Self { tier: Some(tier.to_owned()), ..Self::default() }
    }

    /// The name of what served: the tier, and what else has rates of its own.
    pub fn name(&self) -> Option<String> {
        let other = |text: &Option<String>, usual: &[&str]| text.clone().filter(|text| !usual.contains(&&**text));
        let speed = other(&self.speed, &["standard"]);
        let region = other(&self.region, &["global", "not_available"]);
        match (speed.or_else(|| self.tier.clone()), region) {
            (Some(tier), Some(region)) if tier != "standard" && tier != "default" => {
                Some([&*tier, "+", &*region].concat())
            }
            (_, Some(region)) => Some(region),
            (tier, None) => tier,
        }
    }

    /// In one field of a line: those at the end that say nothing are left out.
    pub fn line(&self) -> String {
        let parts = [&self.tier, &self.speed, &self.region].map(|part| part.as_deref().unwrap_or_default());
        parts.map(|part| part.replace(['\t', '\n', ';'], " ")).join(";").trim_end_matches(';').to_owned()
    }

    pub fn of_line(line: &str) -> Self {
        let mut parts = line.split(';').map(|part| Some(part.to_owned()).filter(|part| !part.is_empty()));
        let mut next = || parts.next().flatten();
        Self { tier: next(), speed: next(), region: next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_the_answer_said() {
        for (parts, line) in [
            (["", "", ""], ""),
            (["flex", "", ""], "flex"),
            (["standard", "fast", "us"], "standard;fast;us"),
            (["", "", "us"], ";;us"),
        ] {
            let [tier, speed, region] = parts.map(|part| Some(part.to_owned()).filter(|part| !part.is_empty()));
            let served = Served { tier, speed, region };
            assert_eq!(served.line(), line);
            assert_eq!(Served::of_line(line), served);
        }
    }
}
