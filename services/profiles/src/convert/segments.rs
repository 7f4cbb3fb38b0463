//! Segments and stages.

use rapport_api::convert::{instant, timestamp};
use rapport_api::profiles::v1 as message;
use rapport_kernel::{CustomerId, Fault, OperationId, Reason, Timestamp, Violations, page_size};

use super::{add, operation};
use crate::domain::derived::Flip;
use crate::domain::dynamics::{Counts, Period, lines, periods};
use crate::domain::facts;
use crate::domain::segment::{Draft, Lifecycle, Purpose, SegmentId, Stage};
use crate::service::segments::{Change, Dynamics, Preview, Shown};
use crate::store::segment_interval::Member;

/// The rule under which the errors of a condition are noted.
const CONDITION: &str = "condition";
/// How many periods figures may have.
const PERIODS: usize = 400;
/// How long figures go back where no start is given: 30 days.
const BACK: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
/// How many customers a preview names where the caller does not say.
const SAMPLE: usize = 10;

/// INVALID_ARGUMENT with every broken rule; reason INVALID_CONDITION where it is conditions alone.
fn refuse(out: Violations) -> Result<(), Fault> {
    let conditions = !out.as_slice().is_empty() && out.as_slice().iter().all(|one| one.rule == CONDITION);
    out.check().map_err(|mut fault| {
        if conditions {
            fault.reason = Reason::InvalidCondition;
        }
        fault
    })
}

fn check_name(name: &str, out: &mut Violations) {
    if name.trim().is_empty() {
        add(out, "segment.name", "string.min_len", "must not be empty");
    }
}

fn check_condition(condition: &str, out: &mut Violations) {
    if condition.trim().is_empty() {
        add(out, "segment.condition", "string.min_len", "must not be empty");
    } else if let Err(errors) = facts::compile(condition) {
        errors.note("segment.condition", out);
    }
}

/// What a segment is for; where it is not said it profiles.
const fn purpose(of: message::SegmentPurpose) -> Purpose {
    match of {
        message::SegmentPurpose::Unspecified | message::SegmentPurpose::Profiling => Purpose::Profiling,
        message::SegmentPurpose::Operational => Purpose::Operational,
    }
}

fn missing() -> Fault {
    Fault::invalid_field("segment", "required", "must be set")
}

fn id(text: &str) -> Result<SegmentId, Fault> {
    text.parse().map_err(|_| Fault::invalid_field("segment_id", "string.uuid", "must be a UUID"))
}

/// A segment to make.
///
/// # Errors
/// INVALID_ARGUMENT with every broken rule; as for all that follow.
pub fn create(message: &message::CreateSegmentRequest) -> Result<Draft, Fault> {
    let mut out = rapport_api::check(message);
    let segment = message.segment.clone().unwrap_or_default();
    if message.segment.is_some() {
        check_name(&segment.name, &mut out);
        check_condition(&segment.condition, &mut out);
    }
    refuse(out)?;
    let purpose = purpose(segment.purpose());
    Ok(Draft { name: segment.name, description: segment.description, condition: segment.condition, purpose })
}

/// A segment to change.
///
/// # Errors
/// As [`create`].
pub fn update(message: &message::UpdateSegmentRequest) -> Result<Change, Fault> {
    let mut out = rapport_api::check(message);
    let segment = message.segment.clone().ok_or_else(missing);
    let paths = message.update_mask.as_ref().map(|mask| mask.paths.clone()).unwrap_or_default();
    let known = ["name", "description", "condition", "purpose"];
    if let Some(unknown) = paths.iter().position(|path| !known.contains(&path.as_str())) {
        let field = format!("update_mask.paths[{unknown}]");
        add(&mut out, &field, "field_mask", "must be name, description, condition or purpose");
    }
    let wanted = |field: &str| paths.is_empty() || paths.iter().any(|path| path == field);
    if let Ok(segment) = &segment {
        if segment.segment_id.is_empty() {
            add(&mut out, "segment.segment_id", "required", "must name the segment to change");
        }
        if wanted("name") {
            check_name(&segment.name, &mut out);
        }
        if wanted("condition") {
            check_condition(&segment.condition, &mut out);
        }
    }
    refuse(out)?;
    let segment = segment?;
    let purpose = wanted("purpose").then(|| purpose(segment.purpose()));
    Ok(Change {
        id: id(&segment.segment_id)?,
        etag: segment.etag,
        name: wanted("name").then_some(segment.name),
        description: wanted("description").then_some(segment.description),
        condition: wanted("condition").then_some(segment.condition),
        purpose,
    })
}

/// Which segment.
///
/// # Errors
/// As [`create`].
pub fn get(message: &message::GetSegmentRequest) -> Result<SegmentId, Fault> {
    rapport_api::check(message).check()?;
    id(&message.segment_id)
}

/// Which segment to delete, and its etag as last read.
///
/// # Errors
/// As [`create`].
pub fn delete(message: &message::DeleteSegmentRequest) -> Result<(SegmentId, String), Fault> {
    rapport_api::check(message).check()?;
    Ok((id(&message.segment_id)?, message.etag.clone()))
}

/// How many segments a page holds.
///
/// # Errors
/// As [`create`].
pub fn list(message: &message::ListSegmentsRequest) -> Result<usize, Fault> {
    rapport_api::check(message).check()?;
    page_size(message.page_size)
}

/// Which condition to try, for what, as of when, and how many customers to name.
///
/// # Errors
/// As [`create`].
pub fn preview(
    message: &message::PreviewSegmentRequest,
    now: Timestamp,
) -> Result<(String, Purpose, Timestamp, usize), Fault> {
    let mut out = rapport_api::check(message);
    if let Err(errors) = facts::compile(&message.condition) {
        errors.note("condition", &mut out);
    }
    refuse(out)?;
    let at = message.at.as_ref().and_then(|at| instant(at).ok()).unwrap_or(now);
    let sample = usize::try_from(message.sample_size).unwrap_or(0);
    let sample = if sample == 0 { SAMPLE } else { sample };
    Ok((message.condition.clone(), purpose(message.purpose()), at, sample))
}

/// What a preview found.
#[must_use]
pub fn previewed(preview: &Preview) -> message::PreviewSegmentResponse {
    let complete = preview.examined >= preview.total;
    let (count, examined, total) = (u128::from(preview.count), u128::from(preview.examined), u128::from(preview.total));
    let estimated = (count * total + examined / 2).checked_div(examined).unwrap_or(0);
    message::PreviewSegmentResponse {
        count: preview.count.cast_signed(),
        examined: preview.examined.cast_signed(),
        total: preview.total.cast_signed(),
        complete,
        estimated_count: i64::try_from(estimated).unwrap_or(i64::MAX),
        sample_customer_ids: preview.sample.iter().map(ToString::to_string).collect(),
        error_count: preview.errors.cast_signed(),
        objecting_count: preview.objecting.cast_signed(),
    }
}

/// Whose members, as of when, and how many.
///
/// # Errors
/// As [`create`].
pub fn members(message: &message::ListSegmentMembersRequest) -> Result<(SegmentId, Option<Timestamp>, usize), Fault> {
    rapport_api::check(message).check()?;
    let at = message.at.as_ref().and_then(|at| instant(at).ok());
    Ok((id(&message.segment_id)?, at, page_size(message.page_size)?))
}

/// A member.
#[must_use]
pub fn member(member: &Member) -> message::SegmentMember {
    message::SegmentMember {
        customer_id: member.customer.to_string(),
        enter_time: Some(timestamp(member.entered_at)),
        founding: member.founding,
    }
}

/// Which segment to watch.
///
/// # Errors
/// As [`create`].
pub fn watch(message: &message::WatchSegmentRequest) -> Result<SegmentId, Fault> {
    rapport_api::check(message).check()?;
    id(&message.segment_id)
}

/// That a token of a watch is damaged: the field that held it is another than a page's.
#[must_use]
pub fn token(refused: Fault) -> Fault {
    let text = "is damaged, or was made for another call, segment or tenant: list the members, then watch without it";
    let mut fault = Fault::invalid_field("resume_token", "resume_token", text);
    fault.reason = refused.reason;
    fault
}

/// Who entered or left.
#[must_use]
pub fn change((customer, flip): (CustomerId, Flip)) -> message::SegmentChange {
    let kind = if flip.entered { message::SegmentChangeKind::Entered } else { message::SegmentChangeKind::Left };
    message::SegmentChange {
        customer_id: customer.to_string(),
        kind: kind.into(),
        at: Some(timestamp(flip.at)),
        founding: flip.founding,
    }
}

/// A segment.
#[must_use]
pub fn segment(shown: &Shown) -> message::Segment {
    let segment = &shown.segment;
    message::Segment {
        segment_id: segment.id.to_string(),
        name: segment.draft.name.clone(),
        description: segment.draft.description.clone(),
        condition: segment.draft.condition.clone(),
        etag: segment.etag(),
        create_time: Some(timestamp(segment.created_at)),
        update_time: Some(timestamp(segment.updated_at)),
        backfill: Some(message::SegmentBackfill {
            complete: shown.backfill.complete,
            remaining: shown.backfill.remaining.cast_signed(),
            total: shown.backfill.total.cast_signed(),
        }),
        member_count: shown.members.cast_signed(),
        operation: operation(segment.operation),
        purpose: match segment.draft.purpose {
            Purpose::Profiling => message::SegmentPurpose::Profiling.into(),
            Purpose::Operational => message::SegmentPurpose::Operational.into(),
        },
    }
}

/// That a segment was deleted.
#[must_use]
pub fn deleted(of: &OperationId) -> message::DeleteSegmentResponse {
    message::DeleteSegmentResponse { operation: operation(*of) }
}

/// Which figures are asked for.
pub struct Asked {
    /// Of which segments; none: all.
    pub ids: Vec<SegmentId>,
    /// From when.
    pub start: Timestamp,
    /// To before when.
    pub end: Timestamp,
    /// By which periods.
    pub periods: Vec<(Timestamp, Timestamp)>,
    /// Of how many segments at most.
    pub limit: usize,
}

/// Which figures.
///
/// # Errors
/// As [`create`].
pub fn dynamics(message: &message::GetSegmentDynamicsRequest, now: Timestamp) -> Result<Asked, Fault> {
    let mut out = rapport_api::check(message);
    let end = message.end_time.as_ref().and_then(|at| instant(at).ok()).unwrap_or(now);
    let start = message.start_time.as_ref().and_then(|at| instant(at).ok()).unwrap_or_else(|| end.minus(BACK));
    let period = match message.period() {
        message::SegmentPeriod::Unspecified | message::SegmentPeriod::Day => Period::Day,
        message::SegmentPeriod::Week => Period::Week,
        message::SegmentPeriod::Month => Period::Month,
    };
    if start >= end {
        add(&mut out, "start_time", "before_end", "must be before end_time");
    }
    let periods = periods(start, end, period, PERIODS);
    if periods.is_none() {
        let text = format!("must make at most {PERIODS} periods: choose longer ones, or a shorter time");
        add(&mut out, "period", "periods", text);
    }
    out.check()?;
    let ids = message.segment_ids.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
    let limit = match usize::try_from(message.limit) {
        Ok(limit) if limit > 0 => limit,
        _ => usize::MAX,
    };
    Ok(Asked { ids, start, end, periods: periods.unwrap_or_default(), limit })
}

/// The figures of segments, the fastest-growing first.
#[must_use]
pub fn grown(all: Vec<Dynamics>, asked: &Asked) -> message::GetSegmentDynamicsResponse {
    let mut segments: Vec<_> = all.into_iter().map(|one| one_grown(one, asked)).collect();
    segments.sort_by(|a, b| {
        let rate = |one: &message::SegmentDynamics| one.growth_rate.unwrap_or(f64::NEG_INFINITY);
        let faster = b.net_growth.cmp(&a.net_growth).then(rate(b).total_cmp(&rate(a)));
        faster.then_with(|| a.segment_id.cmp(&b.segment_id))
    });
    segments.truncate(asked.limit);
    message::GetSegmentDynamicsResponse { segments }
}

fn one_grown(one: Dynamics, asked: &Asked) -> message::SegmentDynamics {
    let Dynamics { segment, figures } = one;
    let at_start = figures.at_start + figures.founded;
    let counts = Counts { at_start, entries: figures.entries, exits: figures.exits };
    let (entries, exits) = (counts.entries.values().sum::<i64>(), counts.exits.values().sum::<i64>());
    let line = |line: crate::domain::dynamics::Line| message::SegmentDynamicsPeriod {
        start_time: Some(timestamp(line.start)),
        end_time: Some(timestamp(line.end)),
        entries: line.entries,
        exits: line.exits,
        net_growth: line.entries - line.exits,
        members_at_end: line.members,
    };
    message::SegmentDynamics {
        segment_id: segment.id.to_string(),
        name: segment.draft.name,
        founding_members: figures.founding,
        members_at_start: at_start,
        members_at_end: at_start + entries - exits,
        entries,
        exits,
        net_growth: entries - exits,
        growth_rate: share(entries - exits, at_start),
        periods: lines(&counts, &asked.periods).into_iter().map(line).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of customers, who are far fewer than a double counts")]
fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The stages as they shall be, and the etag as last read.
///
/// # Errors
/// As [`create`].
pub fn update_lifecycle(message: &message::UpdateLifecycleRequest) -> Result<(Lifecycle, String), Fault> {
    let mut out = rapport_api::check(message);
    let lifecycle = message.lifecycle.clone().unwrap_or_default();
    let mut stages: Vec<Stage> = Vec::new();
    for (at, stage) in lifecycle.stages.into_iter().enumerate() {
        if let Err(errors) = facts::compile_stage(&stage.condition) {
            errors.note(&format!("lifecycle.stages[{at}].condition"), &mut out);
        }
        if stages.iter().any(|other| other.name == stage.name) {
            let field = format!("lifecycle.stages[{at}].name");
            add(&mut out, &field, "unique", "must not be the name of a stage before it");
        }
        stages.push(Stage { name: stage.name, condition: stage.condition, description: stage.description });
    }
    refuse(out)?;
    Ok((Lifecycle { stages, revision: 0, updated_at: None, operation: None }, lifecycle.etag))
}

/// The stages.
#[must_use]
pub fn lifecycle(lifecycle: &Lifecycle) -> message::Lifecycle {
    let stage = |stage: &Stage| message::LifecycleStage {
        name: stage.name.clone(),
        condition: stage.condition.clone(),
        description: stage.description.clone(),
    };
    message::Lifecycle {
        stages: lifecycle.stages.iter().map(stage).collect(),
        etag: lifecycle.revision.to_string(),
        update_time: lifecycle.updated_at.map(timestamp),
        operation: lifecycle.operation.map(operation).unwrap_or_default(),
    }
}
