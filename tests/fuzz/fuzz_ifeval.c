/* IFEval's checks and the language of a text: any text, any arguments, an answer within bounds. */
#include "../../plugins/reward/rewards/common.c"
#include "../../plugins/reward/text/chars.c"
#include "../../plugins/reward/text/ifeval_checks.c"
#include "../../plugins/reward/text/lang.c"
#include "../../plugins/reward/text/lang_words.c"
#include "../../plugins/reward/text/sentences.c"

static hone_status no_json(void *self, hone_str text, void **doc, const hone_value **out)
{
    (void)self, (void)text, (void)doc, (void)out;
    return HONE_E_PARSE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const ids[] = {"change_case:capital_word_frequency",
                                      "change_case:english_capital",
                                      "combination:repeat_prompt",
                                      "combination:two_responses",
                                      "detectable_content:number_placeholders",
                                      "detectable_content:postscript",
                                      "detectable_format:multiple_sections",
                                      "detectable_format:number_bullet_lists",
                                      "detectable_format:number_highlighted_sections",
                                      "detectable_format:title",
                                      "detectable_format:json_format",
                                      "keywords:existence",
                                      "keywords:forbidden_words",
                                      "keywords:frequency",
                                      "keywords:letter_frequency",
                                      "language:response_language",
                                      "length_constraints:nth_paragraph_first_word",
                                      "length_constraints:number_paragraphs",
                                      "length_constraints:number_sentences",
                                      "length_constraints:number_words",
                                      "startend:end_checker",
                                      "startend:quotation"};
    static const char *const names[] = {"num_words",       "relation",       "keyword",
                                        "frequency",       "letter",         "let_frequency",
                                        "let_relation",    "language",       "first_word",
                                        "nth_paragraph",   "num_paragraphs", "postscript_marker",
                                        "section_spliter", "num_sections",   "prompt_to_repeat",
                                        "end_phrase",      "keywords",       "forbidden_words"};
    static const hone_json_v1 json = {.struct_size = sizeof(hone_json_v1), .parse = no_json};
    hone_pair pairs[sizeof names / sizeof *names];
    size_t cut_at = n;
    if (n < 2 || n > 5000)
        return 0;
    char *copy = malloc(n);
    uint32_t *room = malloc(n * sizeof *room);
    memcpy(copy, data, n);
    for (size_t i = 1; i < n; i++)
        if (copy[i] == 0) {
            cut_at = i;
            break;
        }
    const hone_str text = {copy + 1, cut_at - 1},
                   more = {copy + (cut_at < n ? cut_at + 1 : n), cut_at < n ? n - cut_at - 1 : 0};
    hone_value word = {.type = HONE_STRING, .u.str = more};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pairs[i].key = hone_str_c(names[i]);
        pairs[i].value = word;
        if (strncmp(names[i], "num", 3) == 0 || strstr(names[i], "frequency") ||
            strstr(names[i], "nth"))
            pairs[i].value = (hone_value){.type = HONE_I64, .u.i64 = data[0] / 23};
        else if (strstr(names[i], "relation"))
            pairs[i].value.u.str = hone_str_c(data[0] & 1 ? "at least" : "less than");
        else if (strstr(names[i], "words"))
            pairs[i].value = (hone_value){.type = HONE_LIST, .u.list = {&word, 1}};
    }
    const hone_value args = {.type = HONE_MAP, .u.map = {pairs, sizeof names / sizeof *names}};
    checked r = {{room, 0}, text, NULL, {NULL, &json}};
    for (size_t i = 0; i < text.len;)
        room[r.text.n++] = text_char(text, &i);
    const char *what = NULL;
    if (view_trim(r.text).n)
        ifeval_check(&r, hone_str_c(ids[data[0] % (sizeof ids / sizeof *ids)]), &args, &what);
    const lang_guess g = lang_detect(text);
    if (g.code[0] && !lang_known(hone_str_c(g.code)))
        abort();
    if (count_sentences(r.text) > r.text.n + 1 || count_words(r.text) > r.text.n ||
        count_capital_words(r.text) > r.text.n)
        abort();
    free(room);
    free(copy);
    return 0;
}
