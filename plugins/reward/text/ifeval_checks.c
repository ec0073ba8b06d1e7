/* ifeval_checks.c - the 25 verifiable instructions of IFEval (Zhou et al. 2023), each a function.
 *
 * They decide as the published program does, its quirks with them: a bullet may stand behind blank lines, a divider of four
 * asterisks is one of three with an asterisk behind it, "P.P.S" is found anywhere. Keywords are taken literally, without regard to
 * case. Departures, where the program rests on libraries: sentences (sentences.c) and languages (lang.c) are counted and
 * found by other means. */
#include "ifeval.h"

typedef struct asking { /* one check */
    const checked *r;
    view v;
    const hone_value *args;
    const char **what;
} asking;
typedef int (*check_fn)(const asking *a);

/* ---- arguments ---------------------------------------------------------------------------------------- */

static const hone_value *argument(const asking *a, const char *name)
{
    for (size_t i = 0; a->args && a->args->type == HONE_MAP && i < a->args->u.map.n; i++)
        if (same(a->args->u.map.pairs[i].key, name) &&
            a->args->u.map.pairs[i].value.type != HONE_NULL)
            return &a->args->u.map.pairs[i].value;
    *a->what = name;
    return NULL;
}

static int number_of(const asking *a, const char *name, double *out)
{
    const hone_value *v = argument(a, name);
    if (v && v->type == HONE_I64)
        *out = (double)v->u.i64;
    else if (v && v->type == HONE_F64)
        *out = v->u.f64;
    else {
        *a->what = name;
        return 0;
    }
    return 1;
}

static int text_of(const asking *a, const char *name, hone_str *out)
{
    const hone_value *v = argument(a, name);
    *a->what = name;
    if (!v || v->type != HONE_STRING || !v->u.str.ptr)
        return 0;
    *out = trim(v->u.str);
    return 1;
}

/* count against "at least" or "less than" the number `name` */
static int compared(const asking *a, size_t count, const char *name, const char *relation)
{
    double n;
    hone_str how;
    if (!number_of(a, name, &n) || !text_of(a, relation, &how))
        return CHECK_LACKS;
    if (same(how, "less than"))
        return (double)count < n;
    *a->what = relation;
    return same(how, "at least") ? (double)count >= n : CHECK_LACKS;
}

/* ---- text --------------------------------------------------------------------------------------------- */

/* Where `word` stands, whatever its case; SIZE_MAX: nowhere. *end is behind it. */
static size_t find_folded(view v, hone_str word, size_t from, size_t *end)
{
    for (size_t i = from; i <= v.n; i++) {
        size_t k = i, at = 0;
        while (at < word.len && k < v.n && text_lower(text_char(word, &at)) == text_lower(v.c[k]))
            k++;
        size_t chars = 0;
        for (size_t x = 0; x < word.len; chars++)
            text_char(word, &x);
        if (k - i == chars) {
            *end = k;
            return i;
        }
    }
    return SIZE_MAX;
}

static int is_blank(view v)
{
    return view_trim(v).n == 0;
}

static size_t space_at(view v, size_t i) /* 1 where white space is */
{
    return i < v.n && text_is_space(v.c[i]);
}

/* ---- checks ------------------------------------------------------------------------------------------- */

static int no_comma(const asking *a)
{
    return view_find(a->v, ",", 0) == SIZE_MAX;
}

static int all_keywords(const asking *a)
{
    const hone_value *list = argument(a, "keywords");
    size_t end;
    if (!list || list->type != HONE_LIST)
        return CHECK_LACKS;
    for (size_t i = 0; i < list->u.list.n; i++)
        if (list->u.list.items[i].type != HONE_STRING)
            return CHECK_LACKS;
        else if (find_folded(a->v, list->u.list.items[i].u.str, 0, &end) == SIZE_MAX)
            return 0;
    return 1;
}

static int keyword_frequency(const asking *a)
{
    hone_str word;
    size_t count = 0, end = 0;
    if (!text_of(a, "keyword", &word) || !word.len)
        return CHECK_LACKS;
    while (find_folded(a->v, word, end, &end) != SIZE_MAX)
        count++;
    return compared(a, count, "frequency", "relation");
}

static int is_edge(view v, size_t i) /* \b before character i */
{
    return (i > 0 && char_is_word(v.c[i - 1])) != (i < v.n && char_is_word(v.c[i]));
}

static int forbidden_words(const asking *a)
{
    const hone_value *list = argument(a, "forbidden_words");
    if (!list || list->type != HONE_LIST)
        return CHECK_LACKS;
    for (size_t i = 0; i < list->u.list.n; i++) {
        size_t end = 0;
        if (list->u.list.items[i].type != HONE_STRING)
            return CHECK_LACKS;
        for (size_t at = 0;
             (at = find_folded(a->v, list->u.list.items[i].u.str, at, &end)) != SIZE_MAX; at++)
            if (is_edge(a->v, at) && is_edge(a->v, end))
                return 0;
    }
    return 1;
}

static int letter_frequency(const asking *a)
{
    hone_str letter;
    size_t at = 0, count = 0;
    if (!text_of(a, "letter", &letter) || !letter.len)
        return CHECK_LACKS;
    const uint32_t c = text_lower(text_char(letter, &at));
    for (size_t i = 0; i < a->v.n; i++)
        count += text_lower(a->v.c[i]) == c;
    return compared(a, count, "let_frequency", "let_relation");
}

static int response_language(const asking *a)
{
    hone_str asked;
    if (!text_of(a, "language", &asked))
        return CHECK_LACKS;
    const lang_guess g = lang_detect(a->r->bytes);
    return !g.letters || lang_same(g.code, asked);
}

static int is_english(const asking *a)
{
    const lang_guess g = lang_detect(a->r->bytes);
    return !g.letters || strcmp(g.code, "en") == 0;
}

static int english_capital(const asking *a)
{
    return view_is_upper(a->v) && is_english(a);
}

static int english_lowercase(const asking *a)
{
    return view_is_lower(a->v) && is_english(a);
}

static int capital_word_frequency(const asking *a)
{
    return compared(a, count_capital_words(a->v), "capital_frequency", "capital_relation");
}

static int number_sentences(const asking *a)
{
    return compared(a, count_sentences(a->v), "num_sentences", "relation");
}

static int number_words(const asking *a)
{
    return compared(a, count_words(a->v), "num_words", "relation");
}

/* The next "***" with one white space on each side, if there is; its ends. */
static size_t find_divider(view v, size_t from, size_t *end)
{
    size_t at = view_find(v, "***", from);
    if (at == SIZE_MAX)
        return SIZE_MAX;
    *end = at + 3 + space_at(v, at + 3);
    return at > from && text_is_space(v.c[at - 1]) ? at - 1 : at;
}

static int number_paragraphs(const asking *a)
{
    double want;
    size_t n = 0, from = 0, blank_ends = 0;
    if (!number_of(a, "num_paragraphs", &want))
        return CHECK_LACKS;
    for (int more = 1; more;) {
        size_t end = a->v.n;
        size_t at = find_divider(a->v, from, &end);
        more = at != SIZE_MAX;
        if (is_blank(cut(a->v, from, more ? at : a->v.n))) {
            if (n > 0 && more)
                return 0;
            blank_ends++;
        }
        n++;
        from = end;
    }
    return (double)(n - blank_ends) == want;
}

static int nth_paragraph_first_word(const asking *a)
{
    double many, nth;
    hone_str first;
    view wanted = {NULL, 0};
    size_t count = 0, index = 0, from = 0;
    if (!number_of(a, "num_paragraphs", &many) || !number_of(a, "nth_paragraph", &nth) ||
        !text_of(a, "first_word", &first))
        return CHECK_LACKS;
    for (int more = 1; more;) {
        const size_t at = view_find(a->v, "\n\n", from);
        more = at != SIZE_MAX;
        const view p = view_trim(cut(a->v, from, more ? at : a->v.n));
        count += p.n > 0;
        if ((double)++index == nth)
            wanted = p;
        from = more ? at + 2 : from;
    }
    if (nth > (double)count || !wanted.n)
        return 0;
    size_t i = 0, at = 0;
    while (i < wanted.n && wanted.c[i] == '\'')
        i++;
    while (i < wanted.n && wanted.c[i] == '"')
        i++;
    for (; i < wanted.n && !text_is_space(wanted.c[i]) &&
           !(wanted.c[i] < 0x80 && strchr(".,?!'\"", (int)wanted.c[i]));
         i++)
        if (at >= first.len || text_lower(text_char(first, &at)) != text_lower(wanted.c[i]))
            return 0;
    return at == first.len && (double)count == many;
}

static int number_placeholders(const asking *a)
{
    double want;
    size_t n = 0;
    if (!number_of(a, "num_placeholders", &want))
        return CHECK_LACKS;
    for (size_t i = 0; i < a->v.n; i++) {
        size_t k = i;
        if (a->v.c[i] != '[')
            continue;
        while (k < a->v.n && a->v.c[k] != ']' && a->v.c[k] != '\n')
            k++;
        if (k < a->v.n && a->v.c[k] == ']') {
            n++;
            i = k;
        }
    }
    return (double)n >= want;
}

/* P.S. and P.P.S with or without a blank behind their dots; any other marker as it is. */
static int postscript(const asking *a)
{
    hone_str marker;
    size_t end = 0;
    if (!text_of(a, "postscript_marker", &marker))
        return CHECK_LACKS;
    const int pps = same(marker, "P.P.S"), ps = same(marker, "P.S.");
    if (!pps && !ps)
        return find_folded(a->v, marker, 0, &end) != SIZE_MAX;
    for (size_t i = 0; i < a->v.n; i++) {
        static const char letters[] = "pps";
        size_t k = i, j = pps ? 0 : 1;
        for (; j < 3; j++) {
            if (k >= a->v.n || text_lower(a->v.c[k]) != (unsigned char)letters[j])
                break;
            k++;
            if (j == 2 && pps)
                return 1;
            if (k >= a->v.n || a->v.c[k] != '.')
                break;
            k++;
            if (j == 2)
                return 1;
            k += space_at(a->v, k);
        }
    }
    return 0;
}

/* Lines that begin with a mark, white space before it (blank lines too). For "*" another character must follow. */
static size_t count_bullets(view v, uint32_t mark)
{
    size_t n = 0;
    for (size_t i = 0; i < v.n;) {
        size_t k = i;
        while (k < v.n && text_is_space(v.c[k]))
            k++;
        const int hit = k < v.n && v.c[k] == mark &&
                        (mark != '*' || (k + 1 < v.n && v.c[k + 1] != '*'));
        n += (size_t)hit;
        i = hit ? k + 1 + (mark == '*') : i;
        while (i < v.n && v.c[i] != '\n')
            i++;
        i++;
    }
    return n;
}

static int number_bullets(const asking *a)
{
    double want;
    if (!number_of(a, "num_bullets", &want))
        return CHECK_LACKS;
    return (double)(count_bullets(a->v, '*') + count_bullets(a->v, '-')) == want;
}

static int constrained_response(const asking *a)
{
    return view_find(a->v, "My answer is yes.", 0) != SIZE_MAX ||
           view_find(a->v, "My answer is no.", 0) != SIZE_MAX ||
           view_find(a->v, "My answer is maybe.", 0) != SIZE_MAX;
}

/* Runs between `stars` asterisks on each side, on one line, with none within. */
static size_t count_highlights(view v, size_t stars)
{
    const char *mark = stars == 2 ? "**" : "*";
    size_t n = 0;
    for (size_t i = 0; (i = view_find(v, mark, i)) != SIZE_MAX;) {
        size_t k = i + stars;
        while (k < v.n && v.c[k] != '*' && v.c[k] != '\n')
            k++;
        if (k + stars <= v.n && view_find(cut(v, k, k + stars), mark, 0) == 0) {
            n += !is_blank(cut(v, i + stars, k));
            i = k + stars;
        } else {
            i++;
        }
    }
    return n;
}

static int number_highlights(const asking *a)
{
    double want;
    if (!number_of(a, "num_highlights", &want))
        return CHECK_LACKS;
    return (double)(count_highlights(a->v, 1) + count_highlights(a->v, 2)) >= want;
}

static int multiple_sections(const asking *a)
{
    double want;
    hone_str splitter;
    size_t n = 0;
    if (!number_of(a, "num_sections", &want) || !text_of(a, "section_spliter", &splitter))
        return CHECK_LACKS;
    for (size_t i = 0; i < a->v.n; i++) {
        size_t k = i, at = 0;
        while (at < splitter.len && k < a->v.n && a->v.c[k] == text_char(splitter, &at))
            k++;
        if (at < splitter.len || k == i)
            continue;
        size_t chars = 0;
        for (size_t x = 0; x < splitter.len; chars++)
            text_char(splitter, &x);
        if (k - i != chars)
            continue;
        k += space_at(a->v, k);
        if (k < a->v.n && text_class(a->v.c[k], 'N')) {
            n++;
            i = k;
        }
    }
    return (double)n >= want;
}

static int json_format(const asking *a)
{
    static const char *const heads[] = {"```json", "```Json", "```JSON", "```"};
    hone_str s = trim(a->r->bytes);
    const hone_json_v1 *vt = a->r->json.vt;
    const hone_value *value;
    void *doc;
    for (size_t k = 0; k < 4; k++) /* one after the other, as they are taken off there */
        if (starts_with(s, heads[k]))
            s = part(s, strlen(heads[k]), s.len);
    if (s.len >= 3 && memcmp(s.ptr + s.len - 3, "```", 3) == 0)
        s.len -= 3;
    const hone_status st = vt->parse(a->r->json.self, trim(s), &doc, &value);
    if (st == HONE_E_NOMEM)
        return CHECK_NO_MEMORY;
    if (st < 0)
        return 0;
    vt->release(a->r->json.self, doc);
    return 1;
}

static int title(const asking *a)
{
    for (size_t i = 0; (i = view_find(a->v, "<<", i)) != SIZE_MAX;) {
        size_t end = i + 2, last = 0;
        for (; end < a->v.n && a->v.c[end] != '\n'; end++)
            if (end > i + 2 && a->v.c[end] == '>' && end + 1 < a->v.n && a->v.c[end + 1] == '>')
                last = end;
        if (!last) {
            i++;
            continue;
        }
        view t = cut(a->v, i, last + 2);
        while (t.n && t.c[0] == '<')
            t = cut(t, 1, t.n);
        while (t.n && t.c[t.n - 1] == '>')
            t.n--;
        if (!is_blank(t))
            return 1;
        i = last + 2;
    }
    return 0;
}

static int two_responses(const asking *a)
{
    view kept[2] = {{NULL, 0}, {NULL, 0}};
    size_t n = 0, index = 0, from = 0;
    for (int more = 1; more; index++) {
        const size_t at = view_find(a->v, "******", from);
        more = at != SIZE_MAX;
        const view p = view_trim(cut(a->v, from, more ? at : a->v.n));
        if (!p.n && index != 0 && more)
            return 0;
        if (p.n && n < 2)
            kept[n] = p;
        n += p.n > 0;
        from = more ? at + 6 : from;
    }
    return n == 2 && (kept[0].n != kept[1].n ||
                      memcmp(kept[0].c, kept[1].c, kept[0].n * sizeof *kept[0].c) != 0);
}

static int repeat_prompt(const asking *a)
{
    hone_str prompt;
    const view v = view_trim(a->v);
    size_t i = 0;
    if (!text_of(a, "prompt_to_repeat", &prompt))
        return CHECK_LACKS;
    for (size_t at = 0; at < prompt.len; i++)
        if (i >= v.n || text_lower(text_char(prompt, &at)) != text_lower(v.c[i]))
            return 0;
    return 1;
}

static int end_phrase(const asking *a)
{
    hone_str phrase;
    view v = view_trim(a->v);
    size_t n = 0, end;
    if (!text_of(a, "end_phrase", &phrase))
        return CHECK_LACKS;
    while (v.n && v.c[v.n - 1] == '"')
        v.n--;
    while (v.n && v.c[0] == '"')
        v = cut(v, 1, v.n);
    for (size_t at = 0; at < phrase.len; n++)
        text_char(phrase, &at);
    return n <= v.n && find_folded(cut(v, v.n - n, v.n), phrase, 0, &end) == 0;
}

static int quotation(const asking *a)
{
    const view v = view_trim(a->v);
    return v.n > 1 && v.c[0] == '"' && v.c[v.n - 1] == '"';
}

int ifeval_check(const checked *r, hone_str id, const hone_value *args, const char **what)
{
    static const struct {
        const char *id;
        check_fn check;
    } checks[] = {{"change_case:capital_word_frequency", capital_word_frequency},
                  {"change_case:english_capital", english_capital},
                  {"change_case:english_lowercase", english_lowercase},
                  {"combination:repeat_prompt", repeat_prompt},
                  {"combination:two_responses", two_responses},
                  {"detectable_content:number_placeholders", number_placeholders},
                  {"detectable_content:postscript", postscript},
                  {"detectable_format:constrained_response", constrained_response},
                  {"detectable_format:json_format", json_format},
                  {"detectable_format:multiple_sections", multiple_sections},
                  {"detectable_format:number_bullet_lists", number_bullets},
                  {"detectable_format:number_highlighted_sections", number_highlights},
                  {"detectable_format:title", title},
                  {"keywords:existence", all_keywords},
                  {"keywords:forbidden_words", forbidden_words},
                  {"keywords:frequency", keyword_frequency},
                  {"keywords:letter_frequency", letter_frequency},
                  {"language:response_language", response_language},
                  {"length_constraints:nth_paragraph_first_word", nth_paragraph_first_word},
                  {"length_constraints:number_paragraphs", number_paragraphs},
                  {"length_constraints:number_sentences", number_sentences},
                  {"length_constraints:number_words", number_words},
                  {"punctuation:no_comma", no_comma},
                  {"startend:end_checker", end_phrase},
                  {"startend:quotation", quotation}};
    const asking a = {r, r->text, args, what};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (same(id, checks[i].id))
            return checks[i].check(&a);
    return CHECK_UNKNOWN;
}
