//! Rules about texts: which hold for whom, and one automaton for all that are looked for at the same time.

use std::rc::Rc;

use hashbrown::HashMap;

use super::flaw::{Checked, flaw};
use super::{ProviderPolicy, TenantIx, models};
use crate::config::{self, Content as Written, ContentRule, Direction, Named};
use crate::detect::{Automaton, Flaw, PLACEHOLDER, Pattern, literal, whole_match, whole_word};
use crate::llm::stance::Stance;
use crate::llm::texts::Place;
use crate::route::Sensitivity;

pub use crate::config::ContentAction as Action;

/// Actions of which one finding can have only one. Those of another class don't hide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Refuse,
    Replace,
    Count,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Refuse, Self::Replace, Self::Count];
}

impl Action {
    pub const fn class(self) -> Class {
        match self {
            Self::Refuse => Class::Refuse,
            Self::Mask | Self::Restore => Class::Replace,
            Self::Count => Class::Count,
        }
    }
}

/// What is looked for in the texts of a tenant, and what becomes of it.
pub struct Content {
    pub rules: Box<[Rule]>,
    pub request: Option<Looked>,
    pub answer: Option<Looked>,
    /// What can't be looked at.
    pub unscanned: Stance,
    pub key: Option<Rc<str>>,
    /// What a provider may see from which on fewer rules hold, in order.
    pub borders: Box<[Sensitivity]>,
}

impl Content {
    /// Whether something else goes on in the place of what a rule finds in an answer.
    pub fn masks_answers(&self) -> bool {
        self.rules.iter().any(|rule| rule.action == Action::Mask && rule.is_on(Direction::Answer))
    }
}

/// What is looked for in whose texts. Without rules, a tenant has no place in it.
#[derive(Debug, Default)]
pub struct Contents {
    /// One for all for whom the same holds.
    sets: Vec<Rc<Content>>,
    /// By the places of the tenants: which set, counted from one.
    of_tenants: Vec<u8>,
}

impl Contents {
    pub fn of(&self, tenant: TenantIx) -> Option<&Rc<Content>> {
        let place = *self.of_tenants.get(usize::try_from(tenant.0).ok()?)?;
        self.sets.get(usize::from(place.checked_sub(1)?))
    }
}

/// What is looked for at once.
pub struct Looked {
    pub automaton: Rc<Automaton>,
    /// Of each of its patterns. The last of an answer's may have none: it is a placeholder.
    pub aims: Box<[Aim]>,
    /// A text is looked at for each by itself.
    pub classes: Box<[Class]>,
}

impl Looked {
    /// Whose a pattern is; no rule's, if it is a placeholder.
    pub fn aim<'a>(&'a self, content: &'a Content, pattern: usize) -> Option<(&'a Aim, &'a Rule)> {
        let aim = self.aims.get(pattern)?;
        Some((aim, content.rules.get(aim.rule)?))
    }
}

/// Whose a pattern is.
#[derive(Clone, Debug)]
pub struct Aim {
    /// Its place among the rules.
    pub rule: usize,
    /// What a placeholder calls it.
    pub label: Rc<str>,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub name: Rc<str>,
    pub action: Action,
    on: [bool; 2],
    /// One bit for each place.
    places: u16,
    roles: Option<Box<[Rc<str>]>>,
    /// It holds for providers that may only see less.
    below: Option<Sensitivity>,
}

/// What a rule may depend on beside a text and its tenant.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub role: Option<&'a str>,
    /// What every provider may see that the request may go to.
    pub sight: Sensitivity,
}

/// Each has an automaton of its own.
const MOST_SETS: u8 = 64;

/// The label of what the operator's own patterns find, where it says none.
const REDACTED: &str = "REDACTED";

impl Rule {
    fn is_on(&self, direction: Direction) -> bool {
        self.on.get(direction as usize).is_some_and(|looks| *looks)
    }

    pub fn looks(&self, place: Place, Case { role, sight }: Case<'_>) -> bool {
        let in_place = self.places & bit(place) != 0;
        in_place
            && self.below.is_none_or(|below| sight < below)
            && self
                .roles
                .as_ref()
                .is_none_or(|roles| role.is_some_and(|role| roles.iter().any(|known| **known == *role)))
    }
}

const fn bit(place: Place) -> u16 {
    1 << place as u16
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.name)).finish()
    }
}

/// The rules as they are written, until it is known whom they concern.
pub(super) struct Reading {
    written: Vec<ContentRule>,
    unscanned: Stance,
    key: Option<Rc<str>>,
    /// By the places of the rules that hold.
    places: HashMap<Vec<usize>, u8>,
    built: Contents,
}

impl Reading {
    pub(super) fn begin(
        written: Written,
        roles: &[String],
        tiers: &Named<Rc<super::Terms>>,
        providers: &[ProviderPolicy],
    ) -> Checked<Self> {
        for (at, rule) in written.rules.iter().enumerate() {
            let path = || format!("content.rules[{at}]");
            if rule.find.is_empty() && rule.patterns.is_empty() && rule.words.is_empty() {
                return flaw(path(), "it looks for nothing: write `find`, `patterns` or `words`");
            }
            if let Some(same) = written.rules.iter().take(at).position(|other| other.name == rule.name) {
                return flaw(format!("{}.name", path()), format!("`content.rules[{same}]` has this name already"));
            }
            let lists = [
                ("on", rule.on.as_ref().map(Vec::len), "at requests"),
                ("places", rule.places.as_ref().map(Vec::len), "everywhere"),
            ];
            if let Some((key, _, there)) = lists.into_iter().find(|(_, length, _)| *length == Some(0)) {
                let problem = format!("an empty list looks nowhere; leave it out to look {there}");
                return flaw(format!("{}.{key}", path()), problem);
            }
            let on_answers = rule.on.as_ref().is_some_and(|on| on.contains(&Direction::Answer));
            if on_answers && rule.action == Action::Restore {
                let problem = "what is restored in an answer is what its request had: let the rule look at requests alone, or write `count`, `mask` or `refuse`";
                return flaw(format!("{}.action", path()), problem);
            }
            if on_answers && rule.roles.is_some() {
                let problem =
                    "an answer says nothing of a role: leave `roles` out, or let the rule look at requests alone";
                return flaw(format!("{}.roles", path()), problem);
            }
            if let Some(below) = rule.provider_sensitivity_below {
                let path = || format!("{}.provider_sensitivity_below", path());
                if on_answers {
                    let problem = "an answer goes to the client, whichever provider it comes from: leave \
                                   `provider_sensitivity_below` out, or let the rule look at requests alone";
                    return flaw(path(), problem);
                }
                if below == Sensitivity::Public {
                    let problem = "nothing is below `public`, so the rule would never hold: write the lowest level at which a \
                                   provider may see what it finds";
                    return flaw(path(), problem);
                }
                if let Some(unsaid) = providers.iter().find(|provider| provider.reach.sensitivity.is_none()) {
                    return models::no_sensitivity(&unsaid.name);
                }
            }
            let unknown = |role: &&config::Name| !roles.iter().any(|known| **known == *role.0);
            if let Some(role) = rule.roles.iter().flatten().find(unknown) {
                return flaw(format!("{}.roles", path()), models::unknown_role(&role.0, roles));
            }
            if let Some(tier) = rule.tiers.iter().flatten().find(|tier| tiers.get(&tier.0).is_none()) {
                let known: Vec<_> = tiers.names().map(|name| format!("`{name}`")).collect();
                let problem = format!("unknown tier `{}`, expected one of {}", tier.0, known.join(", "));
                return flaw(format!("{}.tiers", path()), problem);
            }
        }
        let key = written.placeholder_key.map(|secret| secret.0.into());
        Ok(Self {
            written: written.rules,
            unscanned: written.unscanned,
            key,
            places: HashMap::new(),
            built: Contents::default(),
        })
    }

    /// What holds for the next tenant. Those for whom the same holds share it.
    pub(super) fn add(&mut self, tenant: &str, tier: &str) -> Checked<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        let holds = |rule: &ContentRule| {
            rule.tenants.as_ref().is_none_or(|names| names.iter().any(|name| name.matches(tenant)))
                && rule.tiers.as_ref().is_none_or(|names| names.iter().any(|name| *name.0 == *tier))
        };
        let rules = self.written.iter().enumerate();
        let held: Vec<usize> = rules.filter(|(_, rule)| holds(rule)).map(|(at, _)| at).collect();
        let place = match self.places.get(&held) {
            _ if held.is_empty() => 0,
            Some(place) => *place,
            None => self.another(held)?,
        };
        self.built.of_tenants.push(place);
        Ok(())
    }

    fn another(&mut self, held: Vec<usize>) -> Checked<u8> {
        let nth = self.built.sets.len().saturating_add(1);
        let Some(place) = u8::try_from(nth).ok().filter(|place| *place <= MOST_SETS) else {
            let problem =
                format!("more than {MOST_SETS} sets of rules, each for other tenants: let some hold for more of them");
            return flaw("content.rules", problem);
        };
        self.built.sets.push(Rc::new(self.build(&held)?));
        self.places.insert(held, place);
        Ok(place)
    }

    pub(super) fn end(self) -> Contents {
        self.built
    }

    fn build(&self, held: &[usize]) -> Checked<Content> {
        let written: Vec<_> = held.iter().filter_map(|at| self.written.get(*at)).collect();
        let rules: Box<[Rule]> = written.iter().map(|rule| understood(rule)).collect();
        let restores = rules.iter().any(|rule| rule.action == Action::Restore);
        let request = looked(&written, &rules, Direction::Request, false)?;
        let answer = looked(&written, &rules, Direction::Answer, restores)?;
        let is_border = |level: &Sensitivity| rules.iter().any(|rule| rule.below == Some(*level));
        let borders = Sensitivity::ALL.into_iter().filter(is_border).collect();
        Ok(Content { rules, request, answer, unscanned: self.unscanned, key: self.key.clone(), borders })
    }
}

fn understood(rule: &ContentRule) -> Rule {
    let places = rule.places.as_deref().unwrap_or(&Place::ALL);
    let on = rule.on.as_deref().unwrap_or(&[Direction::Request]);
    Rule {
        name: Rc::clone(&rule.name.0),
        action: rule.action,
        on: [on.contains(&Direction::Request), on.contains(&Direction::Answer)],
        places: places.iter().fold(0, |bits, place| bits | bit(*place)),
        roles: rule.roles.as_ref().map(|roles| roles.iter().map(|role| Rc::clone(&role.0)).collect()),
        below: rule.provider_sensitivity_below,
    }
}

/// All that is looked for in one direction; with `restores`, placeholders as well.
fn looked(written: &[&ContentRule], rules: &[Rule], on: Direction, restores: bool) -> Checked<Option<Looked>> {
    let (mut patterns, mut aims) = (Vec::new(), Vec::new());
    for (at, (rule, understood)) in written.iter().zip(rules).enumerate() {
        if !understood.is_on(on) {
            continue;
        }
        let own: Rc<str> = rule.label.as_ref().map_or(REDACTED, |label| &label.0).into();
        for config::Detected(detector) in &rule.find {
            patterns.push(Pattern::of(detector));
            aims.push(Aim { rule: at, label: detector.label.into() });
        }
        for config::Expression { expression, longest } in &rule.patterns {
            let expression = expression.clone();
            patterns.push(Pattern { expression, longest: *longest, check: whole_match });
            aims.push(Aim { rule: at, label: Rc::clone(&own) });
        }
        for config::Word(word) in &rule.words {
            let expression = format!("(?i){}", literal(word));
            patterns.push(Pattern { expression, longest: word.len(), check: whole_word });
            aims.push(Aim { rule: at, label: Rc::clone(&own) });
        }
    }
    if restores {
        patterns.push(Pattern::of(&PLACEHOLDER));
    }
    if patterns.is_empty() {
        return Ok(None);
    }
    let has = |class: &Class| {
        (restores && *class == Class::Replace)
            || rules.iter().any(|rule| rule.is_on(on) && rule.action.class() == *class)
    };
    let classes = Class::ALL.into_iter().filter(has).collect();
    match Automaton::shared(patterns) {
        Ok(automaton) => Ok(Some(Looked { automaton, aims: aims.into(), classes })),
        Err(flawed) => {
            let problem = match flawed {
                Flaw::Syntax(problem) => problem,
                _ => "what is looked for at once takes more memory than it may: write fewer words, or shorter repetitions".to_owned(),
            };
            flaw("content.rules", problem)
        }
    }
}
