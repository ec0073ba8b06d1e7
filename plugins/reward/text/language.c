/* language.c - is the completion in the language that was asked for?
 *
 *   is       1 when the language found for all of it is the asked one, else 0
 *   share    the part of its letters that stand in lines of that language; a line that tells nothing (a name, a number, a
 *            formula) goes with the text as a whole. The language consistency reward of DeepSeek-R1 (2025, section 2.3.2)
 *            is such a share, of words.
 * The language is the setting `language`, or the row's where `column` names a data column. How a language is found: lang.c. A
 * completion without any letter is an abstention: there is nothing to say about it. Codes are ISO 639-1; zh is both zh-cn
 * and zh-tw. */
#include "lang.h"

typedef struct language {
    reward base;
    uint32_t value, on_missing;
    hone_str asked, column;
} language;

enum { VALUE_IS, VALUE_SHARE };
enum { F_LANGUAGE, F_COLUMN, F_ON_MISSING, F_VALUE };
static const hone_field *const fields[] = {
    HONE_STR("language", "en", 0, "code of the language (ISO 639-1), as en, de, zh"),
    HONE_STR("column", NULL, 0, "data column with the row's language instead"), FIELD_ON_MISSING,
    HONE_ENUM("value", "is", "is|share", 0, "1 or 0 for the whole, or the share in that language"),
    NULL};

static double share_of(hone_str s, hone_str asked, const lang_guess *whole)
{
    size_t all = 0, in = 0;
    for (size_t from = 0; from < s.len;) {
        size_t end = from;
        while (end < s.len && s.ptr[end] != '\n')
            end++;
        const lang_guess g = lang_detect(part(s, from, end));
        all += g.letters;
        in += lang_same(g.code[0] ? g.code : whole->code, asked) ? g.letters : 0;
        from = end + 1;
    }
    return all ? (double)in / (double)all : 0;
}

static void language_score(const scoring *s, verdict *v)
{
    const language *l = (const language *)s->self;
    hone_str asked = l->asked;
    cell_text buf;
    if (l->column.len) {
        const hone_value *cell = reference_of(s, l->column, l->on_missing, v);
        if (!cell)
            return;
        asked = cell_as_text(cell, &buf);
        if (!asked.ptr || !lang_known(asked)) {
            error_is(v, "the row's language is not one that is known here");
            return;
        }
    }
    const lang_guess g = lang_detect(s->sample->completion);
    if (!g.letters) {
        abstains(v, "no letters: no language");
        return;
    }
    note_text(s, "language", hone_str_c(g.code[0] ? g.code : "unknown"));
    score_is(v, l->value == VALUE_SHARE ? share_of(s->sample->completion, asked, &g)
                                        : lang_same(g.code, asked));
}

static hone_status language_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const hone_str asked = cfg->str(cfg, F_LANGUAGE);
    if (!lang_known(asked))
        return hone_host_fail(host, HONE_E_INVALID, "language: \"%.*s\" is not known here",
                              (int)(asked.len < 40 ? asked.len : 40), asked.ptr);
    const hone_status s = reward_create(host, sizeof(language), language_score, &base);
    if (s < 0)
        return s;
    language *l = (language *)base;
    l->asked = asked;
    l->column = cfg->str(cfg, F_COLUMN);
    l->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    l->value = (uint32_t)cfg->i64(cfg, F_VALUE);
    *self_out = l;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "columns", NULL};
const hone_component language_component = {
    REWARD_HEAD("language", "1 when the completion is in the asked language"), .fields = fields,
    .needs = reward_needs, .wants = wants, .create = language_create};
