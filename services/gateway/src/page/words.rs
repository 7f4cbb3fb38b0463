//! The page's own words, in the four languages of the suite. Braces name what is filled in.

use crate::domain::fields::Wrong;

use super::language::Tongue;

/// The words of one language.
pub struct Words {
    /// The language.
    pub tag: &'static str,
    /// What the page is.
    pub title: &'static str,
    /// Which question of how many.
    pub question: &'static str,
    /// Which questions of how many.
    pub questions: &'static str,
    /// Of a question that need not be answered.
    pub optional: &'static str,
    /// Instead of an answer.
    pub no_answer: &'static str,
    /// A choice that is said in words, and those.
    pub other: &'static str,
    /// Names the field of those words.
    pub other_words: &'static str,
    /// How far one agrees, from 1 to 5.
    pub agreement: [&'static str; 5],
    /// How many may be chosen.
    pub up_to: &'static str,
    /// How many are to be chosen.
    pub between: &'static str,
    /// How choices are put in order.
    pub ranking: &'static str,
    /// How a day is written.
    pub day: &'static str,
    /// From where to where a figure may go.
    pub range: &'static str,
    /// To the next page.
    pub next: &'static str,
    /// To the end.
    pub send: &'static str,
    /// To the page before.
    pub back: &'static str,
    /// Above what is wrong.
    pub problem: &'static str,
    /// Before what is wrong.
    pub error: &'static str,
    /// Names the choice of a language.
    pub languages: &'static str,
    /// That nobody is tied to the answer.
    pub anonymous: &'static str,
    /// That an answer to it counts once.
    pub once: &'static str,
    /// That one can go on later.
    pub resume: &'static str,
    /// What is wrong with an answer.
    pub wrong: [&'static str; 11],
    /// After the last question: heading and text.
    pub thanks: [&'static str; 2],
    /// What the code is for, and that it is told once.
    pub code: &'static str,
    /// Erases the answer.
    pub erase_now: &'static str,
    /// A link that nobody knows: heading and text.
    pub unknown: [&'static str; 2],
    /// A link that was used.
    pub used: [&'static str; 2],
    /// A link that is too old, or was withdrawn.
    pub over: [&'static str; 2],
    /// Work that cannot be done now.
    pub busy: [&'static str; 2],
    /// Too many requests.
    pub often: [&'static str; 2],
    /// A request that the page does not understand.
    pub senseless: [&'static str; 2],
    /// Whether one is to be asked no more: heading, text, button.
    pub unsubscribe: [&'static str; 3],
    /// That one is asked no more.
    pub unsubscribed: [&'static str; 2],
    /// Erasing by a code: heading, text, the code's name, button.
    pub erase: [&'static str; 4],
    /// That the answer is erased.
    pub erased: [&'static str; 2],
}

impl Words {
    /// All languages.
    #[must_use]
    pub const fn all() -> &'static [Self; 4] {
        &ALL
    }

    /// Those of a language; else English ones.
    #[must_use]
    pub fn of(base: &str) -> &'static Self {
        ALL.iter().find(|words| words.tag.eq_ignore_ascii_case(base)).unwrap_or(&ALL[0])
    }
}

/// Words with what is filled in, in order of the braces.
#[must_use]
pub fn filled(text: &str, with: &[String]) -> String {
    let mut all = String::with_capacity(text.len());
    let mut with = with.iter();
    for (place, part) in text.split("{}").enumerate() {
        if place > 0 {
            all.push_str(with.next().map_or("", String::as_str));
        }
        all.push_str(part);
    }
    all
}

/// What is wrong, in words.
#[must_use]
pub fn wrong(tongue: &Tongue, wrong: Wrong) -> String {
    let (place, with) = match wrong {
        Wrong::Missing => (0, Vec::new()),
        Wrong::Rows => (1, Vec::new()),
        Wrong::Range(min, max) => (2, vec![tongue.said_figure(min), tongue.said_figure(max)]),
        Wrong::Few(least) => (3, vec![tongue.said_figure(least)]),
        Wrong::Many(most) => (4, vec![tongue.said_figure(most)]),
        Wrong::Long(most) => (5, vec![tongue.said_figure(most)]),
        Wrong::Alone => (6, Vec::new()),
        Wrong::Twice => (7, Vec::new()),
        Wrong::Day => (8, Vec::new()),
        Wrong::Unchosen => (9, Vec::new()),
        Wrong::Refused => (10, Vec::new()),
    };
    filled(tongue.words.wrong[place], &with)
}

static ALL: [Words; 4] = [
    Words {
        tag: "en",
        title: "Your opinion",
        question: "Question {} of {}",
        questions: "Questions {} to {} of {}",
        optional: "optional",
        no_answer: "No answer",
        other: "Something else",
        other_words: "Something else: what?",
        agreement: [
            "1 – strongly disagree",
            "2 – disagree",
            "3 – neither agree nor disagree",
            "4 – agree",
            "5 – strongly agree",
        ],
        up_to: "Choose {} at most.",
        between: "Choose {} to {}.",
        ranking: "Give each its place: 1 is the best.",
        day: "Year, month and day, for example 2026-03-21.",
        range: "A whole number from {} to {}.",
        next: "Continue",
        send: "Send",
        back: "Back",
        problem: "Something is not right yet",
        error: "Error:",
        languages: "Language",
        anonymous: "Your answers are anonymous: nobody can tell that they are yours.",
        once: "This link counts once: if you have already answered by it, your first answer stands.",
        resume: "What you answer is kept page by page: you can stop, and go on later by the same link.",
        wrong: [
            "Please answer this question.",
            "Please answer every row.",
            "Enter a whole number from {} to {}.",
            "Choose {} at least.",
            "Choose {} at most.",
            "Use {} characters at most.",
            "One of your choices stands alone: choose nothing beside it.",
            "Give no place twice.",
            "Enter a day of the calendar, for example 2026-03-21.",
            "You wrote what else it is, but chose something of the list: choose “Something else”, or clear the words.",
            "This answer is not accepted. Please look at it again.",
        ],
        thanks: ["Thank you", "Your answers have been received."],
        code: "Your answers are anonymous, so nobody can find them for you. With this code you can erase them at any time. It \
               is shown only here and now: keep it.",
        erase_now: "Erase my answers now",
        unknown: ["This link does not work", "Look whether it is whole. If it is, ask whoever sent it for a new one."],
        used: ["You have answered already", "This link was used. Thank you for your answers."],
        over: ["This survey is closed", "This link can no longer be used."],
        busy: ["It does not work just now", "Please try again in a moment. What you answered before is kept."],
        often: ["Too many requests", "Please wait a little and try again."],
        senseless: ["This page is not there", "Look whether the link is whole."],
        unsubscribe: [
            "Do you want to be asked no more?",
            "You will then get no more surveys on the channel by which this link came to you.",
            "Do not ask me again",
        ],
        unsubscribed: ["You will not be asked again", "You get no more surveys on this channel."],
        erase: [
            "Erase your answers",
            "Enter the code that you were shown when you had answered.",
            "Code",
            "Erase my answers",
        ],
        erased: ["Your answers are erased", "There are no answers of this code any more."],
    },
    Words {
        tag: "ru",
        title: "Ваше мнение",
        question: "Вопрос {} из {}",
        questions: "Вопросы {}–{} из {}",
        optional: "необязательно",
        no_answer: "Без ответа",
        other: "Другое",
        other_words: "Другое: что именно?",
        agreement: [
            "1 – совершенно не согласен(на)",
            "2 – не согласен(на)",
            "3 – и да, и нет",
            "4 – согласен(на)",
            "5 – полностью согласен(на)",
        ],
        up_to: "Выберите не более {}.",
        between: "Выберите от {} до {}.",
        ranking: "Укажите место для каждого варианта: 1 – лучшее.",
        day: "Год, месяц и день, например 2026-03-21.",
        range: "Целое число от {} до {}.",
        next: "Дальше",
        send: "Отправить",
        back: "Назад",
        problem: "Нужно кое-что исправить",
        error: "Ошибка:",
        languages: "Язык",
        anonymous: "Ваши ответы анонимны: никто не узнает, что они ваши.",
        once: "По этой ссылке учитывается один ответ: если вы уже отвечали, останется первый.",
        resume: "Ответы сохраняются после каждой страницы: можно прерваться и продолжить позже по той же ссылке.",
        wrong: [
            "Пожалуйста, ответьте на этот вопрос.",
            "Пожалуйста, ответьте в каждой строке.",
            "Введите целое число от {} до {}.",
            "Выберите не менее {}.",
            "Выберите не более {}.",
            "Не более {} знаков.",
            "Один из выбранных вариантов исключает остальные: оставьте только его или снимите его.",
            "Не указывайте одно место дважды.",
            "Введите существующую дату, например 2026-03-21.",
            "Вы описали другое, но выбрали вариант из списка: выберите «Другое» или удалите описание.",
            "Такой ответ не принимается. Пожалуйста, проверьте его.",
        ],
        thanks: ["Спасибо", "Ваши ответы получены."],
        code: "Ваши ответы анонимны, поэтому найти их для вас не сможет никто. С этим кодом вы можете удалить их в любое \
               время. Код показан только здесь и сейчас: сохраните его.",
        erase_now: "Удалить мои ответы сейчас",
        unknown: [
            "Ссылка не работает",
            "Проверьте, полностью ли она скопирована. Если да, попросите новую у того, кто её прислал.",
        ],
        used: ["Вы уже ответили", "Эта ссылка использована. Спасибо за ваши ответы."],
        over: ["Опрос закрыт", "Эту ссылку больше нельзя использовать."],
        busy: ["Сейчас не получается", "Попробуйте ещё раз чуть позже. Прежние ответы сохранены."],
        often: ["Слишком много запросов", "Подождите немного и попробуйте ещё раз."],
        senseless: ["Такой страницы нет", "Проверьте, полностью ли скопирована ссылка."],
        unsubscribe: [
            "Больше не присылать опросы?",
            "Тогда опросы больше не будут приходить по тому каналу, по которому пришла эта ссылка.",
            "Больше не спрашивать",
        ],
        unsubscribed: ["Вас больше не будут спрашивать", "Опросы по этому каналу больше не придут."],
        erase: [
            "Удаление ваших ответов",
            "Введите код, который был показан после ответа на опрос.",
            "Код",
            "Удалить мои ответы",
        ],
        erased: ["Ваши ответы удалены", "Ответов с этим кодом больше нет."],
    },
    Words {
        tag: "fa",
        title: "نظر شما",
        question: "پرسش {} از {}",
        questions: "پرسش‌های {} تا {} از {}",
        optional: "اختیاری",
        no_answer: "بدون پاسخ",
        other: "چیز دیگر",
        other_words: "چیز دیگر: چه چیزی؟",
        agreement: ["۱ – کاملاً مخالفم", "۲ – مخالفم", "۳ – نه موافقم نه مخالف", "۴ – موافقم", "۵ – کاملاً موافقم"],
        up_to: "حداکثر {} مورد را برگزینید.",
        between: "{} تا {} مورد را برگزینید.",
        ranking: "جای هر گزینه را تعیین کنید: ۱ بهترین است.",
        day: "سال، ماه و روز میلادی، برای نمونه 2026-03-21.",
        range: "یک عدد صحیح از {} تا {}.",
        next: "ادامه",
        send: "ارسال",
        back: "بازگشت",
        problem: "هنوز چیزی درست نیست",
        error: "خطا:",
        languages: "زبان",
        anonymous: "پاسخ‌های شما بی‌نام است: کسی نمی‌تواند بداند که از شماست.",
        once: "از این پیوند تنها یک پاسخ به شمار می‌آید: اگر پیش‌تر پاسخ داده‌اید، همان پاسخ نخست می‌ماند.",
        resume: "پاسخ‌ها پس از هر صفحه نگه داشته می‌شود: می‌توانید بایستید و بعداً با همین پیوند ادامه دهید.",
        wrong: [
            "لطفاً به این پرسش پاسخ دهید.",
            "لطفاً به همهٔ ردیف‌ها پاسخ دهید.",
            "یک عدد صحیح از {} تا {} وارد کنید.",
            "دست‌کم {} مورد را برگزینید.",
            "حداکثر {} مورد را برگزینید.",
            "حداکثر {} نویسه بنویسید.",
            "یکی از گزینه‌های شما باید تنها باشد: چیز دیگری کنار آن برنگزینید.",
            "یک جا را دو بار ندهید.",
            "روزی از تقویم میلادی وارد کنید، برای نمونه 2026-03-21.",
            "چیز دیگری نوشته‌اید ولی گزینه‌ای از فهرست برگزیده‌اید: «چیز دیگر» را برگزینید یا نوشته را پاک کنید.",
            "این پاسخ پذیرفته نمی‌شود. لطفاً دوباره به آن نگاه کنید.",
        ],
        thanks: ["سپاسگزاریم", "پاسخ‌های شما دریافت شد."],
        code: "پاسخ‌های شما بی‌نام است، پس کسی نمی‌تواند آن‌ها را برایتان پیدا کند. با این کد هر زمان می‌توانید آن‌ها را پاک کنید. \
               کد تنها همین‌جا و همین حالا نشان داده می‌شود: آن را نگه دارید.",
        erase_now: "پاسخ‌هایم را اکنون پاک کن",
        unknown: ["این پیوند کار نمی‌کند", "ببینید کامل است یا نه. اگر کامل است، از فرستندهٔ آن پیوند تازه‌ای بخواهید."],
        used: ["شما پیش‌تر پاسخ داده‌اید", "این پیوند استفاده شده است. از پاسخ‌هایتان سپاسگزاریم."],
        over: ["این نظرسنجی بسته است", "دیگر نمی‌توان از این پیوند استفاده کرد."],
        busy: ["اکنون ممکن نیست", "لطفاً کمی بعد دوباره تلاش کنید. پاسخ‌های پیشین شما نگه داشته شده است."],
        often: ["درخواست‌ها بیش از اندازه است", "لطفاً کمی صبر کنید و دوباره تلاش کنید."],
        senseless: ["این صفحه وجود ندارد", "ببینید پیوند کامل است یا نه."],
        unsubscribe: [
            "دیگر از شما نپرسیم؟",
            "آنگاه از راهی که این پیوند به شما رسیده است دیگر نظرسنجی دریافت نمی‌کنید.",
            "دیگر از من نپرسید",
        ],
        unsubscribed: ["دیگر از شما پرسیده نمی‌شود", "از این راه دیگر نظرسنجی دریافت نمی‌کنید."],
        erase: ["پاک کردن پاسخ‌های شما", "کدی را که پس از پاسخ دادن دیدید وارد کنید.", "کد", "پاسخ‌هایم را پاک کن"],
        erased: ["پاسخ‌های شما پاک شد", "دیگر پاسخی با این کد وجود ندارد."],
    },
    Words {
        tag: "ro",
        title: "Părerea dumneavoastră",
        question: "Întrebarea {} din {}",
        questions: "Întrebările {}–{} din {}",
        optional: "opțional",
        no_answer: "Fără răspuns",
        other: "Altceva",
        other_words: "Altceva: ce anume?",
        agreement: [
            "1 – dezacord total",
            "2 – dezacord",
            "3 – nici acord, nici dezacord",
            "4 – acord",
            "5 – acord total",
        ],
        up_to: "Alegeți cel mult {}.",
        between: "Alegeți între {} și {}.",
        ranking: "Dați fiecărei variante un loc: 1 este cel mai bun.",
        day: "Anul, luna și ziua, de exemplu 2026-03-21.",
        range: "Un număr întreg de la {} la {}.",
        next: "Continuați",
        send: "Trimiteți",
        back: "Înapoi",
        problem: "Ceva nu este încă în regulă",
        error: "Eroare:",
        languages: "Limba",
        anonymous: "Răspunsurile dumneavoastră sunt anonime: nimeni nu poate afla că sunt ale dumneavoastră.",
        once: "Prin acest link contează un singur răspuns: dacă ați răspuns deja, rămâne cel dintâi.",
        resume: "Răspunsurile se păstrează după fiecare pagină: vă puteți opri și puteți continua mai târziu cu același link.",
        wrong: [
            "Vă rugăm să răspundeți la această întrebare.",
            "Vă rugăm să răspundeți pe fiecare rând.",
            "Introduceți un număr întreg de la {} la {}.",
            "Alegeți cel puțin {}.",
            "Alegeți cel mult {}.",
            "Folosiți cel mult {} caractere.",
            "Una dintre variantele alese stă singură: nu alegeți nimic pe lângă ea.",
            "Nu dați același loc de două ori.",
            "Introduceți o zi din calendar, de exemplu 2026-03-21.",
            "Ați scris altceva, dar ați ales o variantă din listă: alegeți „Altceva” sau ștergeți textul.",
            "Acest răspuns nu este acceptat. Vă rugăm să îl verificați.",
        ],
        thanks: ["Vă mulțumim", "Răspunsurile dumneavoastră au fost primite."],
        code: "Răspunsurile dumneavoastră sunt anonime, deci nimeni nu le poate găsi pentru dumneavoastră. Cu acest cod le \
               puteți șterge oricând. Codul apare numai aici și acum: păstrați-l.",
        erase_now: "Șterge răspunsurile mele acum",
        unknown: [
            "Acest link nu funcționează",
            "Verificați dacă este întreg. Dacă este, cereți unul nou celui care vi l-a trimis.",
        ],
        used: ["Ați răspuns deja", "Acest link a fost folosit. Vă mulțumim pentru răspunsuri."],
        over: ["Acest sondaj este închis", "Acest link nu mai poate fi folosit."],
        busy: ["Acum nu se poate", "Încercați din nou peste puțin timp. Răspunsurile de până acum s-au păstrat."],
        often: ["Prea multe cereri", "Așteptați puțin și încercați din nou."],
        senseless: ["Această pagină nu există", "Verificați dacă linkul este întreg."],
        unsubscribe: [
            "Doriți să nu mai fiți întrebat(ă)?",
            "Atunci nu veți mai primi sondaje pe canalul prin care v-a ajuns acest link.",
            "Nu mă mai întrebați",
        ],
        unsubscribed: ["Nu veți mai fi întrebat(ă)", "Nu mai primiți sondaje pe acest canal."],
        erase: [
            "Ștergerea răspunsurilor",
            "Introduceți codul care v-a fost arătat după ce ați răspuns.",
            "Cod",
            "Șterge răspunsurile mele",
        ],
        erased: ["Răspunsurile au fost șterse", "Nu mai există răspunsuri cu acest cod."],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_fills_in_the_same() {
        let braces = |words: &Words| {
            let mut all = vec![words.question, words.questions, words.up_to, words.between, words.range];
            all.extend(words.wrong);
            all.iter().map(|text| text.matches("{}").count()).collect::<Vec<_>>()
        };
        for words in Words::all() {
            assert_eq!(braces(words), braces(&Words::all()[0]), "{}", words.tag);
        }
        assert_eq!(filled("{} of {}", &["1".to_owned(), "2".to_owned()]), "1 of 2");
    }
}
