use super::*;
use crate::limit::{Ask, Guard, Rule, Rules};
use crate::price::Ceiling;
use crate::units::PicoUsdPerToken;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Where a slot of every window begins: what is taken back leaves no trace there.
const NOON: UnixNanos = UnixNanos(1_800_001_440_000_000_000);
const LEASE: u64 = 900;

/// Cells in memory. One of them may be out of reach.
#[derive(Default)]
struct Memory {
    cells: RefCell<BTreeMap<String, Cell>>,
    lost: Option<String>,
    /// Whose cells were looked at, in their order.
    asked: RefCell<Vec<String>>,
}

impl Cells for Memory {
    fn change<T>(
        &self,
        whose: Whose<'_>,
        effort: Effort,
        mut change: impl FnMut(&mut Cell) -> (T, bool),
    ) -> Result<T, SwapLost> {
        self.asked.borrow_mut().push(whose.to_string());
        if effort == Effort::Admit && self.lost.as_deref() == Some(&*whose.to_string()) {
            return Err(SwapLost);
        }
        let mut cells = self.cells.borrow_mut();
        let cell = cells.entry(whose.to_string()).or_default();
        // A round that another worker wins: what it did is thrown away.
        let _ = change(&mut cell.clone());
        let mut changed = cell.clone();
        let (value, store) = change(&mut changed);
        if store {
            *cell = changed;
        }
        Ok(value)
    }
}

impl Memory {
    fn levels(&self, whose: &str) -> (u64, u64) {
        let mut cells = self.cells.borrow_mut();
        let levels = cells.entry(whose.to_owned()).or_default().levels(NOON, LEASE);
        (levels.spent_today.0, levels.reserved.0)
    }

    fn in_flight(&self, whose: &str) -> u64 {
        let mut cells = self.cells.borrow_mut();
        cells.entry(whose.to_owned()).or_default().levels(NOON, LEASE).in_flight
    }

    /// But for cells that hold nothing.
    fn snapshot(&self) -> BTreeMap<String, Cell> {
        let mut cells = self.cells.borrow().clone();
        cells.values_mut().for_each(|cell| {
            cell.levels(NOON, LEASE);
        });
        let mut empty = Cell::default();
        empty.levels(NOON, LEASE);
        cells.retain(|_, cell| *cell != empty);
        cells
    }
}

/// A house with groups above groups, and limits for some models alone.
struct House {
    rules: BTreeMap<&'static str, Rules>,
}

/// The accounts of a request, in the order in which they are asked. `a:large` is what `a` has for large models.
const PATHS: [&[&str]; 6] = [
    &["a", "team", "org", "holding", "all"],
    &["b", "team", "org", "holding", "all"],
    &["c", "org", "holding", "all"],
    &["d"],
    &["a:large", "a", "team", "org:large", "org", "holding", "all"],
    // One of two groups serves it, and nobody knows yet which.
    &["b:small", "b:large", "b", "team", "org:large", "org", "holding", "all"],
];

const LARGE: ModelsIx = ModelsIx(0);
const SMALL: ModelsIx = ModelsIx(1);

fn models(name: &str) -> Option<ModelsIx> {
    let (_, models) = name.split_once(':')?;
    Some(if models == "large" { LARGE } else { SMALL })
}

fn whose(name: &'static str) -> Whose<'static> {
    let holder = |name: &'static str| if name.len() == 1 { Holder::Tenant(name) } else { Holder::Group(name) };
    match (name.split_once(':'), holder(name)) {
        (Some((of, models)), _) => Whose::Models { of: holder(of), models },
        (None, Holder::Tenant(name)) => Whose::Tenant(name),
        (None, Holder::Group(name)) => Whose::Group(name),
    }
}

fn own(path: usize) -> usize {
    PATHS[path].iter().position(|name| name.len() == 1).unwrap()
}

impl House {
    fn of(limits: &[(&'static str, &[(Guard, u64)])]) -> Self {
        let mut rules = BTreeMap::new();
        for (name, limits) in limits {
            let mut of = Rules::default();
            limits.iter().for_each(|(guard, limit)| of.set(*guard, Rule { limit: Some(*limit), audit: false }));
            rules.insert(*name, of);
        }
        Self { rules }
    }

    fn account(&self, name: &'static str) -> Account<'_> {
        static NONE: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
        let rules = self.rules.get(name).unwrap_or_else(|| NONE.get_or_init(Rules::default));
        Account { whose: whose(name), of: models(name), rules, shows_figures: name == "team" || name.len() == 1 }
    }

    fn accounts(&self, path: usize) -> impl Iterator<Item = Account<'_>> + Clone {
        PATHS[path].iter().map(|name| self.account(name))
    }

    fn admit(&self, memory: &Memory, path: usize, ask: &Ask) -> Result<Decision, SwapLost> {
        let own = self.account(PATHS[path][own(path)]);
        let ask_own = |ask: &Ask| {
            memory.change(own.whose, Effort::Admit, |cell| {
                let decision = cell.admit(own.rules, ask, NOON);
                let store = decision.verdict.is_ok();
                (decision, store)
            })
        };
        admit(memory, self.accounts(path), ask_own, ask, NOON)
    }

    /// The end of a request that these models served, in every account.
    fn settle(&self, memory: &Memory, path: usize, reservation: Reservation, (came, served): (Came, Option<ModelsIx>)) {
        let Reservation { own: held, beside } = reservation;
        let whose = whose(PATHS[path][own(path)]);
        memory.change(whose, Effort::Settle, |cell| (came.settle(cell, &held, LEASE, NOON), true)).unwrap();
        let accounts = self.accounts(path).filter(|account| account.whose != whose).zip(beside);
        let came_to = |of: Option<ModelsIx>| if pays(of, served) { came } else { Came::NOTHING };
        assert_eq!(settle(memory, accounts, came_to, LEASE, NOON), []);
    }
}

/// 1 nano-USD a token, in and out.
fn ask(input: u64, bound: Bound) -> Ask {
    let rate = PicoUsdPerToken(1_000);
    Ask {
        input: Tokens(input),
        ceiling: Ceiling { input: rate, output: rate, ..Ceiling::default() },
        bound,
        choices: 1,
        expensive_model: true,
        expensive_over: None,
        lease_seconds: LEASE,
        shares: Shares::WHOLE,
    }
}

fn client(bound: u64) -> Bound {
    Bound::Client(Tokens(bound))
}

fn came(cost: u64) -> Came {
    Came { cost: NanoUsd(cost), tokens: Tokens(cost), withdrawn: false }
}

#[test]
fn whoever_refuses_above_is_named_and_nobody_below_holds_anything() {
    for (level, name) in PATHS[0].iter().skip(1).enumerate() {
        for guard in Guard::ALL {
            let house = House::of(&[(name, &[(guard, 9)])]);
            let memory = Memory::default();
            let asks = |bound| ask(1, client(bound));
            let takes = if guard.is_money() || guard == Guard::TokensPerMinute { 1 } else { 9 };
            let mut open: Vec<_> =
                (0..takes).map(|_| house.admit(&memory, 0, &asks(7)).unwrap().verdict.unwrap().reservation).collect();
            let before = memory.snapshot();
            let decision = house.admit(&memory, 1, &asks(9)).unwrap();
            let refusal = decision.verdict.unwrap_err();
            assert_eq!((refusal.guard, refusal.beside), (guard, Some(level)), "{name}");
            assert_eq!(memory.snapshot(), before, "{name}, {}", guard.name());
            for reservation in open.drain(..) {
                assert_eq!(reservation.beside.len(), 4);
                house.settle(&memory, 0, reservation, (Came::NOTHING, None));
            }
            assert_eq!(memory.snapshot(), BTreeMap::new(), "{name}, {}", guard.name());
        }
    }
}

#[test]
fn what_a_tenant_refuses_by_itself_touches_no_cell_above() {
    let house = House::of(&[("a", &[(Guard::RequestsPerMinute, 0)])]);
    let memory = Memory::default();
    let refusal = house.admit(&memory, 0, &ask(1, client(1))).unwrap().verdict.unwrap_err();
    assert_eq!((refusal.guard, refusal.beside), (Guard::RequestsPerMinute, None));
    assert_eq!(*memory.asked.borrow(), ["tenant a"]);
}

#[test]
fn the_most_specific_is_asked_first_and_nobody_behind_one_that_refuses() {
    for (at, name) in PATHS[5].iter().enumerate() {
        let house = House::of(&[(name, &[(Guard::RequestsPerMinute, 0)])]);
        let memory = Memory::default();
        let refusal = house.admit(&memory, 5, &ask(1, client(1))).unwrap().verdict.unwrap_err();
        let place = (at != own(5)).then(|| if at > own(5) { at - 1 } else { at });
        assert_eq!(refusal.beside, place, "{name}");
        let expected: Vec<_> = PATHS[5][..=at].iter().map(|name| whose(name).to_string()).collect();
        assert_eq!(memory.asked.borrow()[..=at], expected);
        assert_eq!(memory.asked.borrow().len(), 2 * at + 1, "each that had room has it back");
        assert_eq!(memory.snapshot(), BTreeMap::new(), "{name}");
    }
}

#[test]
fn the_models_that_served_pay_and_the_others_have_theirs_back() {
    let house = House::of(&[("b:small", &[(Guard::DayUsd, 100)]), ("b:large", &[(Guard::DayUsd, 40)])]);
    let memory = Memory::default();
    let open = Bound::Open { at_least: Tokens(16), at_most: Tokens(4_096) };
    let mut admitted = house.admit(&memory, 5, &ask(10, open)).unwrap().verdict.unwrap();
    let of = |name: &'static str| memory.levels(&whose(name).to_string());
    assert_eq!(
        (admitted.per_choice, of("b:small"), of("b:large"), of("org:large")),
        (Tokens(30), (0, 40), (0, 40), (0, 40))
    );
    // The small ones answer: what the large ones may spend bounds nothing any more.
    let reservation = &mut admitted.reservation;
    let grown =
        extend(&memory, house.accounts(5), reservation, (NanoUsd(60), Some(SMALL)), (Shares::WHOLE, LEASE), NOON);
    assert_eq!(grown.unwrap().refusal, None);
    assert!(reservation.least(Some(SMALL)) >= NanoUsd(60) && reservation.least(Some(LARGE)) == NanoUsd(40));
    house.settle(&memory, 5, admitted.reservation, (came(61), Some(SMALL)));
    assert_eq!([of("b:small"), of("b:large"), of("org:large")], [(61, 0), (0, 0), (0, 0)]);
    assert_eq!([of("b"), of("org")], [(61, 0); 2]);
}

#[test]
fn a_cell_that_is_out_of_reach_leaves_nothing_behind() {
    for lost in ["tenant a", "group team", "group org", "group holding", "group all"] {
        let house = House::of(&[]);
        let memory = Memory { lost: Some(lost.to_owned()), ..Memory::default() };
        assert!(house.admit(&memory, 0, &ask(1, client(1))).is_err());
        assert_eq!(memory.snapshot(), BTreeMap::new(), "{lost}");
    }
}

#[test]
fn an_open_bound_is_what_the_tightest_account_has_room_for() {
    let house = House::of(&[
        ("a", &[(Guard::DayUsd, 100)]),
        ("org", &[(Guard::DayUsd, 50)]),
        ("all", &[(Guard::RequestUsd, 70)]),
    ]);
    let memory = Memory::default();
    let open = Bound::Open { at_least: Tokens(16), at_most: Tokens(4_096) };
    let admitted = house.admit(&memory, 0, &ask(10, open)).unwrap().verdict.unwrap();
    assert_eq!(admitted.per_choice, Tokens(40));
    let held = |name| memory.levels(name).1;
    // Those before it had room for more, and hold no more than that.
    assert_eq!(["tenant a", "group team", "group org", "group all"].map(held), [50; 4]);
    assert_eq!(admitted.reservation.least(None), NanoUsd(50));
    let refusal = house.admit(&memory, 2, &ask(10, open)).unwrap().verdict.unwrap_err();
    assert_eq!((refusal.guard, refusal.beside, refusal.left), (Guard::DayUsd, Some(0), 0));
    house.settle(&memory, 0, admitted.reservation, (came(33), None));
    assert_eq!(["tenant a", "group team", "group org", "group all"].map(|name| memory.levels(name)), [(33, 0); 4]);
}

#[test]
fn an_audit_above_is_said_with_its_level_and_refuses_nothing() {
    let mut house = House::of(&[]);
    let mut audited = Rules::default();
    audited.set(Guard::DayUsd, Rule { limit: Some(1), audit: true });
    house.rules.insert("org", audited);
    let memory = Memory::default();
    let decision = house.admit(&memory, 1, &ask(1, client(1))).unwrap();
    assert_eq!(decision.audit_beside, [(1, Guard::DayUsd)]);
    let mut reservation = decision.verdict.unwrap().reservation;
    let beyond = (NanoUsd(9), None);
    let grown = extend(&memory, house.accounts(1), &mut reservation, beyond, (Shares::WHOLE, LEASE), NOON).unwrap();
    assert_eq!((grown.refusal, grown.audit_beside), (None, vec![(1, Guard::DayUsd)]));
    house.settle(&memory, 1, reservation, (came(9), None));
    assert_eq!(memory.levels("group org"), (9, 0));
}

#[test]
fn windows_are_shown_of_those_that_show_theirs() {
    let house = House::of(&[
        ("a", &[(Guard::RequestsPerMinute, 50)]),
        ("team", &[(Guard::RequestsPerMinute, 30)]),
        ("all", &[(Guard::RequestsPerMinute, 10)]),
    ]);
    let decision = house.admit(&Memory::default(), 0, &ask(1, client(1))).unwrap();
    let shown = decision.standing.requests.unwrap();
    assert_eq!((shown.limit, shown.remaining), (30, 29), "`all` keeps its figures to itself");
}

/// What a request holds in the account at this place of its path.
fn held_at(reservation: &Reservation, path: usize, place: usize) -> Held {
    match place.cmp(&own(path)) {
        std::cmp::Ordering::Less => reservation.beside[place].held,
        std::cmp::Ordering::Equal => reservation.own,
        std::cmp::Ordering::Greater => reservation.beside[place - 1].held,
    }
}

/// What a request does next.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Comes { path: usize, input: u64, bound: u64, is_open: bool },
    Grows { which: prop::sample::Index, more: u64, served: Option<ModelsIx> },
    Ends { which: prop::sample::Index, cost: u64, served: Option<ModelsIx>, withdrawn: bool },
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0..PATHS.len(), 1..30_u64, 0..30_u64, any::<bool>())
            .prop_map(|(path, input, bound, is_open)| Happens::Comes { path, input, bound, is_open }),
        (any::<prop::sample::Index>(), 1..40_u64, served()).prop_map(|(which, more, served)| Happens::Grows {
            which,
            more,
            served
        }),
        (any::<prop::sample::Index>(), 0..40_u64, served(), any::<bool>())
            .prop_map(|(which, cost, served, withdrawn)| Happens::Ends { which, cost, served, withdrawn }),
    ]
}

fn served() -> impl Strategy<Value = Option<ModelsIx>> {
    prop_oneof![Just(None), Just(Some(LARGE)), Just(Some(SMALL))]
}

proptest! {
    /// Whatever comes, grows, is refused and ends, in whatever order: each account has reserved what its requests hold there, and has
    /// spent what they came to; no budget is passed but by what an answer cost beyond its reservation, and no number in flight at all.
    #[test]
    fn every_account_holds_what_is_open_and_has_spent_what_ended(
        steps in prop::collection::vec(happens(), 1..100),
        budgets in prop::collection::vec(prop_oneof![Just(None), (20..300_u64).prop_map(Some)], 12),
        most in prop::collection::vec(prop_oneof![Just(None), (1..6_u64).prop_map(Some)], 12),
    ) {
        let names =
            ["a", "b", "c", "d", "team", "org", "holding", "all", "a:large", "b:large", "b:small", "org:large"];
        let limits: Vec<Vec<_>> = (budgets.iter().zip(&most))
            .map(|(usd, most)| {
                let limits = [(Guard::DayUsd, *usd), (Guard::InFlight, *most)];
                limits.into_iter().filter_map(|(guard, limit)| Some((guard, limit?))).collect()
            })
            .collect();
        let house = House::of(&names.iter().zip(&limits).map(|(name, limits)| (*name, &limits[..])).collect::<Vec<_>>());
        let memory = Memory::default();
        let mut open: Vec<(usize, Reservation)> = Vec::new();
        let mut spent: BTreeMap<&str, u64> = BTreeMap::new();
        let mut beyond: BTreeMap<&str, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Happens::Comes { path, input, bound, is_open } => {
                    let bound = if is_open {
                        Bound::Open { at_least: Tokens(1), at_most: Tokens(bound.max(1)) }
                    } else {
                        client(bound)
                    };
                    let before = memory.snapshot();
                    match house.admit(&memory, path, &ask(input, bound)).unwrap().verdict {
                        Ok(admitted) => {
                            prop_assert_eq!(admitted.reservation.beside.len() + 1, PATHS[path].len());
                            open.push((path, admitted.reservation));
                        }
                        Err(_) => prop_assert_eq!(memory.snapshot(), before),
                    }
                }
                Happens::Grows { which, more, served: grower } if !open.is_empty() => {
                    let at = which.index(open.len());
                    let (path, reservation) = &mut open[at];
                    let seen = reservation.least(grower).plus(NanoUsd(more));
                    let accounts = house.accounts(*path);
                    let grown =
                        extend(&memory, accounts, reservation, (seen, grower), (Shares::WHOLE, LEASE), NOON).unwrap();
                    if grown.refusal.is_none() {
                        prop_assert!(reservation.least(grower) >= seen);
                    }
                }
                Happens::Ends { which, cost, served, withdrawn } if !open.is_empty() => {
                    let (path, reservation) = open.swap_remove(which.index(open.len()));
                    let came = if withdrawn { Came::NOTHING } else { came(cost) };
                    for (place, name) in PATHS[path].iter().enumerate() {
                        if pays(models(name), served) {
                            *spent.entry(name).or_default() += came.cost.0;
                            let held = held_at(&reservation, path, place).cost.0;
                            *beyond.entry(name).or_default() += came.cost.0.saturating_sub(held);
                        }
                    }
                    house.settle(&memory, path, reservation, (came, served));
                }
                Happens::Grows { .. } | Happens::Ends { .. } => {}
            }
            for (at, name) in names.into_iter().enumerate() {
                let held = open.iter().filter_map(|(path, reservation)| {
                    let place = PATHS[*path].iter().position(|member| *member == name)?;
                    Some(held_at(reservation, *path, place).cost.0)
                });
                let (spent, beyond) = [&spent, &beyond].map(|sums| sums.get(name).copied().unwrap_or_default()).into();
                let held: u64 = held.sum();
                prop_assert_eq!(memory.levels(&whose(name).to_string()), (spent, held), "{}", name);
                if let Some(most) = most[at] {
                    let open = open.iter().filter(|(path, _)| PATHS[*path].contains(&name)).count() as u64;
                    prop_assert_eq!(memory.in_flight(&whose(name).to_string()), open, "{}", name);
                    prop_assert!(open <= most, "{}: {} of {} in flight", name, open, most);
                }
                if let Some(budget) = budgets[at] {
                    prop_assert!(spent + held <= budget + beyond, "{}: {} and {} of {}", name, spent, held, budget);
                }
            }
        }
        for (path, reservation) in open {
            house.settle(&memory, path, reservation, (Came::NOTHING, None));
        }
        for name in names {
            let whose = whose(name).to_string();
            prop_assert_eq!((memory.levels(&whose).1, memory.in_flight(&whose)), (0, 0));
        }
    }
}
