//! The library of statements: sentences in the customer's own words, each bound to a stage of the journey, in four
//! languages. Where the source of a sentence has it in both polarities, each is a statement of its own.

use super::definition::Text;

/// A sentence of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name.
    pub name: &'static str,
    /// The stage of the journey.
    pub stage: &'static str,
    /// Whether agreeing with it is bad.
    pub negative: bool,
    /// What management calls it.
    pub metrics: &'static [&'static str],
    words: [&'static str; 4],
}

const LANGUAGES: [&str; 4] = ["en", "ru", "fa", "ro"];

impl Statement {
    /// The sentence: in English, and in all its languages.
    #[must_use]
    pub fn text(&self) -> Text {
        let translations = LANGUAGES.iter().zip(self.words).map(|(tag, text)| ((*tag).to_owned(), text.to_owned()));
        Text { text: self.words[0].to_owned(), translations: translations.collect() }
    }
}

/// The statement of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Statement> {
    LIBRARY.iter().find(|statement| statement.name == name)
}

const fn good(
    name: &'static str,
    stage: &'static str,
    metrics: &'static [&'static str],
    words: [&'static str; 4],
) -> Statement {
    Statement { name, stage, negative: false, metrics, words }
}

const fn bad(
    name: &'static str,
    stage: &'static str,
    metrics: &'static [&'static str],
    words: [&'static str; 4],
) -> Statement {
    Statement { name, stage, negative: true, metrics, words }
}

/// All of them, in order of the journey.
pub const LIBRARY: &[Statement] = &[
    good(
        "found_information",
        "consideration",
        &["acquisition_cost_paid", "acquisition_cost_blended"],
        [
            "I found the information I needed easily. Everything is clear and accessible",
            "Легко нашел необходимую информацию. Все понятно и доступно",
            "اطلاعات مورد نیازم را به‌آسانی پیدا کردم. همه‌چیز روشن و در دسترس است",
            "Am găsit ușor informațiile necesare. Totul este clar și accesibil",
        ],
    ),
    good(
        "purchase_unnoticed",
        "purchase",
        &["conversion_rate"],
        [
            "I did not even notice the purchase: easy, simple, quick",
            "Вообще не заметил процесс покупки – легко, просто, быстро",
            "اصلاً متوجه فرایند خرید نشدم؛ آسان، ساده و سریع بود",
            "Nici nu am observat procesul de cumpărare: ușor, simplu, rapid",
        ],
    ),
    good(
        "product_as_promised",
        "satisfaction",
        &["tnps", "csi"],
        [
            "The product is as promised",
            "Продукт совпадает с обещаниями",
            "محصول با آنچه وعده داده شده بود مطابقت دارد",
            "Produsul corespunde promisiunilor",
        ],
    ),
    bad(
        "product_not_as_promised",
        "satisfaction",
        &["tnps", "csi"],
        [
            "The product is not as promised",
            "Продукт не совпадает с обещаниями",
            "محصول با آنچه وعده داده شده بود مطابقت ندارد",
            "Produsul nu corespunde promisiunilor",
        ],
    ),
    good(
        "quick_to_react",
        "satisfaction",
        &["tnps", "csi"],
        [
            "They are quick to react when I turn to them",
            "Быстро реагируют на обращения",
            "به درخواست‌ها سریع رسیدگی می‌کنند",
            "Reacționează rapid la solicitări",
        ],
    ),
    bad(
        "slow_to_react",
        "satisfaction",
        &["tnps", "csi"],
        [
            "They are slow to react when I turn to them",
            "Медленно реагируют на обращения",
            "به درخواست‌ها کند رسیدگی می‌کنند",
            "Reacționează lent la solicitări",
        ],
    ),
    good(
        "no_pressure",
        "cross_sell",
        &["customer_value", "attach_rate"],
        [
            "No pressure and nothing pushy, all just as I like it",
            "Без давления и ненавязчиво, все так, как я люблю",
            "بدون فشار و اصرار، همه‌چیز همان‌طور که دوست دارم",
            "Fără presiune și fără insistență, totul așa cum îmi place",
        ],
    ),
    good(
        "fully_solved",
        "service",
        &["fcr_asked"],
        [
            "My question was solved completely",
            "Мой вопрос решен на 100%",
            "مشکل من صددرصد حل شد",
            "Problema mea a fost rezolvată 100%",
        ],
    ),
    good(
        "waited_prepared",
        "service",
        &["fcr_asked"],
        [
            "The question was difficult and I had to wait, but I was prepared for it",
            "Вопрос сложный, пришлось подождать, но я был готов",
            "سؤال پیچیده بود و باید صبر می‌کردم، اما آماده بودم",
            "Întrebarea a fost complicată și a trebuit să aștept, dar eram pregătit",
        ],
    ),
    bad(
        "answer_not_understood",
        "service",
        &["fcr_asked"],
        [
            "I never quite understood the answer",
            "До конца так и не понял суть ответа",
            "در نهایت اصل پاسخ را نفهمیدم",
            "Nu am înțeles până la capăt răspunsul",
        ],
    ),
    good(
        "will_order_again",
        "reactivation",
        &["nps", "churn_rate"],
        [
            "I will certainly order here again",
            "Обязательно буду заказывать здесь еще",
            "حتماً دوباره از اینجا سفارش می‌دهم",
            "Cu siguranță voi mai comanda de aici",
        ],
    ),
    good(
        "will_try_others",
        "reactivation",
        &["nps", "churn_rate"],
        [
            "I will try other products",
            "Оценю другие продукты",
            "محصولات دیگر را هم امتحان می‌کنم",
            "Voi încerca și alte produse",
        ],
    ),
    bad(
        "will_not_try_others",
        "reactivation",
        &["nps", "churn_rate"],
        [
            "I will not try other products",
            "Не буду пробовать другие продукты",
            "محصولات دیگر را امتحان نمی‌کنم",
            "Nu voi încerca alte produse",
        ],
    ),
];
