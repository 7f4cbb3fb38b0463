//! What customers answer: recommendation, satisfaction, effort, statements, expectations.

use super::Entry;
use crate::domain::dimensions::Dimension::{
    self, Agent, Campaign, Channel, Language, Party, Product, Stage, Statement, Survey, Team, Touchpoint,
};
use crate::domain::facts::Family;
use crate::domain::figures::Direction;
use crate::domain::reckoning::Reckoning;

const DIMENSIONS: &[Dimension] = &[Channel, Touchpoint, Stage, Product, Party, Survey, Campaign, Agent, Team, Language];
const STATEMENTS: &[Dimension] =
    &[Channel, Touchpoint, Stage, Product, Party, Survey, Campaign, Agent, Team, Language, Statement];

/// The relational Net Promoter Score.
pub(super) const NPS: Entry = Entry {
    name: "nps",
    family: Family::Nps,
    by_topic: None,
    reckoning: Reckoning::Recommendation,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "100 · (promoters − detractors) / n over the answers to relational NPS questions (0 to 10): promoters \
              gave 9 or 10, detractors 0 to 6. Each response counts, or each customer's latest in a group and cut \
              where that is asked for; of a partial response what was answered, of a test nothing, of an anonymous \
              one all. Weighted answers count by their weight, and as many as Kish's effective n. n is the number \
              of answers counted; with none there is no value. Interval: adjusted Wald (n + 3, promoters + ¾, \
              detractors + ¾), centred on the adjusted score and kept within ±100; the value is the score itself. \
              Comparison: z test of the adjusted scores. Transactional answers are never mixed in. Answers on \
              another scale are a point of their own: of 1 to 10 as of 0 to 10, of a scale whose low end is the good \
              one as of its mirror image; of any other, where no promoters are defined, n and the distribution \
              without a value. Groups that rest on fewer customers than the \
              tenant's threshold are suppressed, and with them those that would give them away.",
    unit: "-100 to 100",
    source: "Reichheld, HBR 81(12) (2003); Rocks, The American Statistician 70 (2016) for the interval; Kish, \
             Survey Sampling (1965) for weights.",
    description: [
        ("en", "How much more customers would recommend the company than warn against it: promoters minus detractors."),
        ("ru", "Насколько готовность рекомендовать компанию преобладает над критикой: промоутеры минус критики."),
        ("fa", "اینکه مشتریان چقدر بیش از آنکه دیگران را بر حذر دارند، شرکت را توصیه می‌کنند: مروّجان منهای منتقدان."),
        ("ro", "Cu cât clienții mai degrabă ar recomanda compania decât ar critica-o: promotori minus detractori."),
    ],
};

/// The transactional Net Promoter Score.
pub(super) const TNPS: Entry = Entry {
    name: "tnps",
    family: Family::Tnps,
    by_topic: None,
    reckoning: Reckoning::Recommendation,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "As nps, over the answers to transactional questions, each about one interaction at one touchpoint. \
              Relational answers are never mixed in. Suppression as for nps.",
    unit: "-100 to 100",
    source: "Reichheld, HBR 81(12) (2003); Rocks, The American Statistician 70 (2016) for the interval; Kish, \
             Survey Sampling (1965) for weights.",
    description: [
        (
            "en",
            "The same right after a contact: how much more customers would recommend the company after it than warn against it.",
        ),
        (
            "ru",
            "То же сразу после обращения: насколько после него готовность рекомендовать компанию преобладает над критикой.",
        ),
        ("fa", "همان شاخص درست پس از یک تماس: مشتریان پس از آن چقدر بیش از انتقاد، شرکت را توصیه می‌کنند."),
        (
            "ro",
            "Același lucru imediat după un contact: cu cât mai degrabă ar recomanda clienții compania decât ar critica-o.",
        ),
    ],
};

/// The share of the satisfied.
pub(super) const CSAT_TOP_BOX: Entry = Entry {
    name: "csat_top_box",
    family: Family::Csat,
    by_topic: None,
    reckoning: Reckoning::TopBoxes,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Answers in the top boxes / answers to satisfaction questions. The top boxes are those of the survey \
              (by default the top one of 3 points, the top two of 4 to 7, the top three of 10) and are printed \
              with the point. Each scale is a point of its own. n is the number of answers; with none there is no \
              value. Weighted answers count by their weight, and as many as Kish's effective n. Interval: Wilson. \
              Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik (2003) for the test. Kish (1965) for \
             weights.",
    description: [
        ("en", "Of all who said how satisfied they are, the share who are satisfied."),
        ("ru", "Доля довольных среди всех, кто оценил свою удовлетворённость."),
        ("fa", "از میان همهٔ کسانی که رضایت خود را گفته‌اند، سهم کسانی که راضی‌اند."),
        ("ro", "Dintre toți cei care au spus cât de mulțumiți sunt, ponderea celor mulțumiți."),
    ],
};

/// The mean satisfaction.
pub(super) const CSAT_MEAN: Entry = Entry {
    name: "csat_mean",
    family: Family::Csat,
    by_topic: None,
    reckoning: Reckoning::Mean,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "The mean of the answers to satisfaction questions, on their own scale. Each scale is a point of its \
              own. n is the number of answers; with none there is no value, with one no interval. Weighted answers \
              count by their weight, and as many as Kish's effective n. Interval: Student's t. Comparison: Welch's \
              t test. Suppression as for nps.",
    unit: "points of the scale of the point's series",
    source: "Student, Biometrika 6 (1908); Welch, Biometrika 34 (1947); Kish, Survey Sampling (1965) for weights.",
    description: [
        ("en", "How satisfied customers are on average, on the scale they were asked on."),
        ("ru", "Насколько клиенты довольны в среднем, по той шкале, по которой их спрашивали."),
        ("fa", "مشتریان به‌طور میانگین چقدر راضی‌اند، بر همان مقیاسی که از آنان پرسیده شده است."),
        ("ro", "Cât de mulțumiți sunt clienții în medie, pe scala pe care au fost întrebați."),
    ],
};

/// The share for whom it was easy.
pub(super) const CES_SHARE: Entry = Entry {
    name: "ces_share",
    family: Family::Ces,
    by_topic: None,
    reckoning: Reckoning::Ease,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Answers that say it was easy / answers to effort questions: 5 to 7 of CES 2.0 (1 to 7, 7 is easy), 1 \
              and 2 of CES 1.0 (1 to 5, 1 is little effort); of any other scale the third next to its easy end. \
              Each scale and direction is a point of its own. n is the number of answers; with none there is no \
              value. Weighted answers count by their weight, and as many as Kish's effective n. Interval: Wilson. \
              Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Dixon, Freeman & Toman, HBR 88(7) (2010); CES 2.0: CEB (2013). Wilson, JASA 22 (1927) for the \
             interval; Fleiss, Levin & Paik (2003) for the test.",
    description: [
        ("en", "Of all who said how easy it was to get something done, the share who found it easy."),
        ("ru", "Доля тех, кому было легко решить свой вопрос, среди всех, кто оценил усилия."),
        ("fa", "از میان کسانی که گفته‌اند انجام کارشان چقدر آسان بود، سهم کسانی که آن را آسان یافتند."),
        ("ro", "Dintre cei care au spus cât de ușor le-a fost, ponderea celor cărora le-a fost ușor."),
    ],
};

/// The mean effort score.
pub(super) const CES_MEAN: Entry = Entry {
    name: "ces_mean",
    family: Family::Ces,
    by_topic: None,
    reckoning: Reckoning::Mean,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "The mean of the answers to effort questions, on their own scale. Each scale and direction is a point \
              of its own: of CES 2.0 (1 to 7) a high one is good, of CES 1.0 (1 to 5, reversed) a low one. n is \
              the number of answers; with none there is no value, with one no interval. Weighted answers count by \
              their weight, and as many as Kish's effective n. Interval: Student's t. Comparison: Welch's t test. \
              Suppression as for nps.",
    unit: "points of the scale of the point's series",
    source: "Dixon, Freeman & Toman, HBR 88(7) (2010). Student, Biometrika 6 (1908); Welch, Biometrika 34 (1947); \
             Kish, Survey Sampling (1965) for weights.",
    description: [
        ("en", "How easy customers found it on average, on the scale they were asked on."),
        ("ru", "Насколько легко было клиентам в среднем, по той шкале, по которой их спрашивали."),
        ("fa", "به‌طور میانگین کار برای مشتریان چقدر آسان بود، بر همان مقیاسی که از آنان پرسیده شده است."),
        ("ro", "Cât de ușor le-a fost clienților în medie, pe scala pe care au fost întrebați."),
    ],
};

/// The index of satisfaction.
pub(super) const CSI: Entry = Entry {
    name: "csi",
    family: Family::Csi,
    by_topic: None,
    reckoning: Reckoning::Index,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "100 · Σ wᵢ · (x̄ᵢ − 1)/9 over the items of a survey (1 to 10), Σ w = 1: x̄ᵢ is the mean of those who \
              answered the item. By default three items with equal weights: satisfaction, against expectations, \
              against the ideal. Each survey is a point of its own. n is the number of respondents who answered an \
              item; with none there is no value; an item that nobody answered is left out and the other weights \
              grow. Weighted answers count by their weight, and as many as Kish's effective n. Interval: \
              percentiles of 1,000 resamples of the respondents, drawn from a fixed seed; of more than 5,000 \
              respondents the normal limit. Comparison: z test by the bootstrap standard errors. Suppression as \
              for nps.",
    unit: "0 to 100",
    source: "Fornell et al., Journal of Marketing 60(4) (1996); Efron & Tibshirani (1993) for the interval.",
    description: [
        (
            "en",
            "One figure of 0 to 100 for how satisfied customers are, against what they expected and what would be ideal.",
        ),
        ("ru", "Одно число от 0 до 100: насколько клиенты довольны, в сравнении с ожиданиями и с идеалом."),
        ("fa", "یک عدد از ۰ تا ۱۰۰: مشتریان چقدر راضی‌اند، در برابر آنچه انتظار داشتند و آنچه آرمانی می‌بود."),
        ("ro", "O singură cifră de la 0 la 100: cât de mulțumiți sunt clienții, față de așteptări și față de ideal."),
    ],
};

/// The agreement with statements.
pub(super) const STATEMENT_AGREEMENT: Entry = Entry {
    name: "statement_agreement",
    family: Family::Statements,
    by_topic: None,
    reckoning: Reckoning::Agreement,
    dimensions: STATEMENTS,
    direction: Direction::Higher,
    formula: "Favourable answers / answers to a statement: 4 and 5 of 1 to 5; of a negative statement, labelled \
              so, 1 and 2; of any other scale the quarter next to its good end. Each statement and scale is a \
              point of its own. The stage is that which the question is bound to. n is the number of answers; with \
              none there is no value. Weighted answers count by their weight, and as many as Kish's effective n. \
              Interval: Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "Likert, Archives of Psychology 140 (1932). Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & \
             Paik (2003) for the test.",
    description: [
        (
            "en",
            "In the customer's own words: of those asked whether a sentence holds for them, the share whose answer is the good one.",
        ),
        ("ru", "Словами самого клиента: доля тех, чей ответ на предложенное высказывание благоприятен."),
        ("fa", "به زبان خود مشتری: از میان کسانی که دربارهٔ یک جمله پرسیده شدند، سهم کسانی که پاسخشان مطلوب است."),
        (
            "ro",
            "În cuvintele clientului: dintre cei întrebați despre o afirmație, ponderea celor cu răspuns favorabil.",
        ),
    ],
};

/// First contact resolution, as customers say.
pub(super) const FCR_ASKED: Entry = Entry {
    name: "fcr_asked",
    family: Family::AskedFcr,
    by_topic: None,
    reckoning: Reckoning::Yes,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "Those who say that their issue was solved on first contact / those asked and answering. n is the \
              number of answers; with none there is no value. Never mixed with the operational or the ticket's \
              own: fcr_operational, fcr_ticket. Weighted answers count by their weight, and as many as Kish's \
              effective n. Interval: Wilson. Comparison: pooled two-proportion z test. Suppression as for nps.",
    unit: "share from 0 to 1",
    source: "SQM Group's definition by survey. Wilson, JASA 22 (1927) for the interval; Fleiss, Levin & Paik \
             (2003) for the test.",
    description: [
        (
            "en",
            "Of the customers asked, the share who say that their issue was solved the first time they turned to the company.",
        ),
        ("ru", "Доля опрошенных клиентов, чей вопрос, по их словам, решён при первом обращении."),
        ("fa", "از میان مشتریانی که از آنان پرسیده شد، سهم کسانی که می‌گویند مشکلشان در نخستین تماس حل شد."),
        (
            "ro",
            "Dintre clienții întrebați, ponderea celor care spun că problema le-a fost rezolvată la primul contact.",
        ),
    ],
};

/// Better than expected minus worse.
pub(super) const EXPECTATION_GAP: Entry = Entry {
    name: "expectation_gap",
    family: Family::Expectations,
    by_topic: None,
    reckoning: Reckoning::Expectation,
    dimensions: DIMENSIONS,
    direction: Direction::Higher,
    formula: "100 · (better − worse) / n over the answers to whether it was worse than, as or better than \
              expected. n is the number of answers; with none there is no value. Weighted answers count by their \
              weight, and as many as Kish's effective n. Interval: adjusted Wald, as for nps. Comparison: z test \
              of the adjusted scores. Suppression as for nps.",
    unit: "-100 to 100",
    source: "Oliver, Journal of Marketing Research 17 (1980) for disconfirmation; Rocks, The American \
             Statistician 70 (2016) for the interval.",
    description: [
        ("en", "How much more often things turned out better than customers expected than worse."),
        ("ru", "Насколько чаще всё оказывалось лучше, чем ожидали клиенты, чем хуже."),
        ("fa", "چقدر بیشتر پیش آمد که کارها بهتر از انتظار مشتریان بود تا بدتر از آن."),
        ("ro", "Cu cât mai des a fost mai bine decât s-au așteptat clienții decât mai rău."),
    ],
};
