/* ifeval and language: each instruction by hand, bad rows, the published verdicts, every language that is known. */
#include "reward_cases.h"

static hone_instance *strict, *loose;

/* One instruction with arguments, strict and loose. */
static void follows(const char *id, const char *args, const char *text, int yes, int yes_loosely)
{
    char row[1000];
    snprintf(row, sizeof row, "{\"instruction_id_list\":[\"%s\"],\"kwargs\":[%s]}", id, args);
    for (int k = 0; k < 2; k++) {
        const answer a = score(k ? loose : strict, text, row);
        if (a.status != HONE_SCORE || a.score != (float)(k ? yes_loosely : yes))
            fail_with("%s %s %s: \"%s\": status %u score %g (%s)", k ? "loose" : "strict", id, args,
                      text, a.status, (double)a.score, a.reason);
    }
}
#define YES(id, args, text) follows(id, args, text, 1, 1)
#define NO(id, args, text) follows(id, args, text, 0, 0)

static void test_each_instruction(void **state)
{
    (void)state;
    YES("punctuation:no_comma", "{}", "a; b");
    NO("punctuation:no_comma", "{}", "a, b");
    follows("punctuation:no_comma", "{}", "Sure, here:\na b", 0, 1); /* without its first line */
    YES("keywords:existence", "{\"keywords\":[\"Sun\",\"moon\"]}", "SUNSET and moon");
    NO("keywords:existence", "{\"keywords\":[\"sun\",\"moon\"]}", "sunset");
    YES("keywords:forbidden_words", "{\"forbidden_words\":[\"sun\"]}", "sunset");
    NO("keywords:forbidden_words", "{\"forbidden_words\":[\"sun\"]}", "the Sun.");
    YES("keywords:frequency", "{\"keyword\":\"a\",\"frequency\":3,\"relation\":\"at least\"}",
        "banana");
    NO("keywords:frequency", "{\"keyword\":\"an\",\"frequency\":2,\"relation\":\"less than\"}",
       "banana");
    YES("keywords:letter_frequency",
        "{\"letter\":\"Q\",\"let_frequency\":2,\"let_relation\":\"less than\"}", "q");
    NO("keywords:letter_frequency",
       "{\"letter\":\"#\",\"let_frequency\":4,\"let_relation\":\"at least\"}", "###");
    YES("language:response_language", "{\"language\":\"de\"}", "Das ist nicht mein Haus.");
    NO("language:response_language", "{\"language\":\"fr\"}", "This is not my house.");
    YES("language:response_language", "{\"language\":\"fr\"}", "12345"); /* nothing to go by */
    YES("length_constraints:number_sentences", "{\"num_sentences\":3,\"relation\":\"at least\"}",
        "One. Two! Three?");
    NO("length_constraints:number_sentences", "{\"num_sentences\":3,\"relation\":\"at least\"}",
       "Dr. Smith paid $3.50 to Mr. J. Jones. Yes.");
    YES("length_constraints:number_words", "{\"num_words\":4,\"relation\":\"less than\"}",
        "don't go");
    NO("length_constraints:number_words", "{\"num_words\":3,\"relation\":\"less than\"}",
       "don't go");
    YES("length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "a\n***\nb\n***");
    follows("length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "a\n***\n\n***\nb", 0,
            0);
    NO("length_constraints:number_paragraphs", "{\"num_paragraphs\":3}", "a\n***\nb");
    YES("length_constraints:nth_paragraph_first_word",
        "{\"num_paragraphs\":2,\"nth_paragraph\":2,\"first_word\":\"Two\"}", "One.\n\n\"two, yes.");
    NO("length_constraints:nth_paragraph_first_word",
       "{\"num_paragraphs\":2,\"nth_paragraph\":2,\"first_word\":\"two\"}", "One.\n\ntwofold");
    NO("length_constraints:nth_paragraph_first_word",
       "{\"num_paragraphs\":2,\"nth_paragraph\":3,\"first_word\":\"c\"}", "a\n\nb\n\nc");
    YES("detectable_content:number_placeholders", "{\"num_placeholders\":2}", "[a] [b c]");
    NO("detectable_content:number_placeholders", "{\"num_placeholders\":2}", "[a] [b\nc]");
    YES("detectable_content:postscript", "{\"postscript_marker\":\"P.S.\"}", "a\np. s. b");
    YES("detectable_content:postscript", "{\"postscript_marker\":\"P.P.S\"}", "P.P.S b");
    NO("detectable_content:postscript", "{\"postscript_marker\":\"P.P.S\"}", "P.S. b");
    NO("detectable_content:postscript", "{\"postscript_marker\":\"P.S.\"}", "PS b");
    YES("detectable_format:number_bullet_lists", "{\"num_bullets\":2}", "* a\n\n  - b\nc - d");
    NO("detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "**a**");
    YES("detectable_format:constrained_response", "{}", "Well. My answer is maybe.");
    NO("detectable_format:constrained_response", "{}", "My answer is perhaps.");
    follows("detectable_format:number_highlighted_sections", "{\"num_highlights\":2}", "*a* **b**",
            1, 1);
    NO("detectable_format:number_highlighted_sections", "{\"num_highlights\":1}", "*a\nb* ** **");
    YES("detectable_format:multiple_sections",
        "{\"section_spliter\":\"Section\",\"num_sections\":2}", "Section 1\na\nSection2 b");
    NO("detectable_format:multiple_sections",
       "{\"section_spliter\":\"Section\",\"num_sections\":1}", "SECTION 1");
    YES("detectable_format:json_format", "{}", "```json\n{\"a\": 1}\n```");
    follows("detectable_format:json_format", "{}", "Here:\n{\"a\": 1}", 0, 1);
    YES("detectable_format:title", "{}", "<<<a>>");
    NO("detectable_format:title", "{}", "<< >> <<a\n>>");
    YES("combination:two_responses", "{}", "a\n******\nb");
    NO("combination:two_responses", "{}", "a******a");
    NO("combination:two_responses", "{}", "a******b******c");
    YES("combination:repeat_prompt", "{\"prompt_to_repeat\":\"Say it. \"}", " say IT. It.");
    follows("combination:repeat_prompt", "{\"prompt_to_repeat\":\"Say it.\"}", "Yes:\nSay it. It.",
            0, 1);
    YES("startend:end_checker", "{\"end_phrase\":\"The end.\"}", "It is the END.\" ");
    NO("startend:end_checker", "{\"end_phrase\":\"The end.\"}", "The end. Really.");
    YES("startend:quotation", "{}", " \"a\"\n");
    NO("startend:quotation", "{}", "\"");
    YES("change_case:english_capital", "{}", "THIS IS THE LAST WORD, AND IT IS 1.");
    NO("change_case:english_capital", "{}", "THIS IS THE LAST WORd");
    NO("change_case:english_capital", "{}", "DAS IST NICHT MEIN HAUS");
    YES("change_case:english_lowercase", "{}", "this is the last word");
    NO("change_case:english_lowercase", "{}", "This is the last word");
    YES("change_case:capital_word_frequency",
        "{\"capital_frequency\":4,\"capital_relation\":\"at least\"}", "I CAN'T GO-ON, yes");
    NO("change_case:capital_word_frequency",
       "{\"capital_frequency\":3,\"capital_relation\":\"less than\"}", "A,B [C] d");
    follows("punctuation:no_comma", "{}", " \n", 0, 0); /* a blank answer follows nothing */
}

static void test_rows_have_all_or_a_share(void **state)
{
    (void)state;
#define ROW                                                                                        \
    "{\"instruction_id_list\":[\"punctuation:no_comma\",\"startend:quotation\"],\"kwargs\":[{},{}" \
    "]}"
    EXPECT("ifeval", NULL, {"\"a\"", ROW, 1}, {"a", ROW, 0});
    EXPECT("ifeval", "{\"value\":\"share\"}", {"\"a\"", ROW, 1}, {"a", ROW, .5}, {"a,", ROW, 0});
    answer a = score(strict, "a", ROW);
    assert_string_equal(a.notes[0], "missed=startend:quotation");
    static const char *const bad[][2] = {
        {"{}", "no column \"instruction_id_list\""},
        {"{\"instruction_id_list\":\"x\",\"kwargs\":[]}", "\"instruction_id_list\" is no list"},
        {"{\"instruction_id_list\":[\"x:y\"],\"kwargs\":[{}]}", "\"x:y\" is no known instruction"},
        {"{\"instruction_id_list\":[7],\"kwargs\":[{}]}", "no known instruction"},
        {"{\"instruction_id_list\":[\"startend:end_checker\"],\"kwargs\":[{\"end_phrase\":null}]}",
         "lacks its argument \"end_phrase\""},
        {"{\"instruction_id_list\":[\"length_constraints:number_words\"],\"kwargs\":[]}",
         "lacks its argument"},
        {"{\"instruction_id_list\":[\"length_constraints:number_words\"],\"kwargs\":[{\"num_"
         "words\":3,"
         "\"relation\":\"about\"}]}",
         "lacks its argument \"relation\""},
        {"{\"instruction_id_list\":[\"keywords:existence\"],\"kwargs\":[{\"keywords\":[1]}]}",
         "keywords"}};
    for (size_t i = 0; i < 2 * (sizeof bad / sizeof *bad); i++) {
        a = score(i % 2 ? loose : strict, "text", bad[i / 2][0]);
        if (a.status != HONE_ERROR || !strstr(a.reason, bad[i / 2][1]))
            fail_with("%s: status %u, %s", bad[i / 2][0], a.status, a.reason);
    }
    a = score(strict, "text", "{\"instruction_id_list\":[],\"kwargs\":[]}");
    assert_int_equal(a.status, HONE_ABSTAIN);
}

static const hone_value *input_of(const hone_value *rows, size_t n, hone_str prompt)
{
    for (size_t i = 0; i < n; i++)
        if (hone_str_same(text_of(&rows[i], "prompt"), prompt))
            return &rows[i];
    return NULL;
}

/* All verdicts of the odd lines, an instruction at a time and a row at a time. */
static void published(const char *file, hone_instance *inst)
{
    size_t n_in, n, wrong = 0, wrong_rows = 0, seen = 0;
    const hone_value *in = read_jsonl("assets/data/ifeval/input_data_541.jsonl", 600, &n_in);
    const hone_value *rows = read_jsonl(file, 600, &n);
    if (!in || !rows)
        skip_without("assets/data/ifeval");
    assert_int_equal(n, 270);
    for (size_t i = 0; i < n; i++) {
        const hone_value *data = input_of(in, n_in, text_of(&rows[i], "prompt"));
        const hone_value *want = hone_value_get(&rows[i], "follow_instruction_list");
        const hone_str text = text_of(&rows[i], "response");
        int all, row_wrong = 0;
        assert_non_null(data);
        const hone_value *ids = hone_value_get(data, "instruction_id_list"),
                         *args = hone_value_get(data, "kwargs");
        for (size_t k = 0; k < ids->u.list.n; k++, seen++) {
            hone_pair pairs[2] = {
                {hone_str_c("instruction_id_list"),
                 {.type = HONE_LIST, .u.list = {&ids->u.list.items[k], 1}}},
                {hone_str_c("kwargs"), {.type = HONE_LIST, .u.list = {&args->u.list.items[k], 1}}}};
            const hone_value row = {.type = HONE_MAP, .u.map = {pairs, 2}};
            const answer a = score_text(inst, text.ptr, text.len, &row);
            assert_int_equal(a.status, HONE_SCORE);
            if ((a.score == 1) != (want->u.list.items[k].u.boolean != 0)) {
                print_message("line %zu: %.*s: %g\n", i, (int)ids->u.list.items[k].u.str.len,
                              ids->u.list.items[k].u.str.ptr, (double)a.score);
                wrong++;
            }
        }
        assert_ok(hone_value_bool(&rows[i], "follow_all_instructions", 0, &all));
        const answer a = score_text(inst, text.ptr, text.len, data);
        assert_int_equal(a.status, HONE_SCORE);
        row_wrong = (a.score == 1) != all;
        wrong_rows += (size_t)row_wrong;
    }
    print_message("%s: %zu of %zu instructions, %zu of %zu rows differ\n", file, wrong, seen,
                  wrong_rows, n);
    assert_int_equal(seen, 419);
    assert_true(100 * wrong_rows <= n && 100 * wrong <= seen);
}

static void test_published_verdicts_strict(void **state)
{
    (void)state;
    published("assets/data/ifeval/gpt4_eval_results_strict.odd_lines.jsonl", strict);
}

static void test_published_verdicts_loose(void **state)
{
    (void)state;
    published("assets/data/ifeval/gpt4_eval_results_loose.odd_lines.jsonl", loose);
}

/* A sentence or two of each language. */
static void test_every_language_is_told(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"en", "We went down to the river because it was too hot in the house."},
        {"de", "Wir gingen zum Fluss hinunter, weil es im Haus zu warm war."},
        {"fr", "Nous sommes descendus à la rivière parce qu'il faisait trop chaud dans la maison."},
        {"es", "Bajamos al río porque hacía demasiado calor en la casa y no había nadie."},
        {"pt", "Descemos ao rio porque não havia ninguém em casa e fazia muito calor."},
        {"it", "Siamo scesi al fiume perché nella casa faceva troppo caldo e non c'era nessuno."},
        {"nl", "We gingen naar de rivier omdat het in het huis veel te warm was."},
        {"af",
         "Ons het na die rivier gegaan omdat dit te warm in die huis was en daar niemand was nie."},
        {"sv",
         "Vi gick ner till floden för att det var för varmt i huset och det inte fanns någon där."},
        {"da", "Vi gik ned til floden, fordi det var for varmt i huset, og der ikke var noget at "
               "drikke."},
        {"no", "Vi gikk ned til elva fordi det var for varmt i huset, og vi hadde ikke noe å "
               "drikke etter det."},
        {"fi", "Menimme joelle, koska talossa oli liian kuuma ja siellä ei ollut ketään, mutta se "
               "ei haitannut."},
        {"et", "Me läksime jõe äärde, sest majas oli liiga palav ja seal ei olnud kedagi, aga see "
               "on hea."},
        {"pl", "Poszliśmy nad rzekę, ponieważ w domu było za gorąco i nie było tam nikogo."},
        {"cs", "Šli jsme k řece, protože v domě bylo příliš horko a nikdo tam nebyl."},
        {"sk", "Išli sme k rieke, pretože v dome bolo príliš horúco a nikto tam nebol, ktorý by "
               "nám pomohol."},
        {"sl",
         "Šli smo k reki, ker je bilo v hiši prevroče in ni bilo nikogar, ki bi lahko pomagal."},
        {"hr",
         "Otišli smo do rijeke jer je u kući bilo prevruće i nije bilo nikoga tko bi nam što dao."},
        {"hu", "Lementünk a folyóhoz, mert a házban túl meleg volt, és nem volt ott senki."},
        {"ro", "Am coborât la râu pentru că în casă era prea cald și nu era nimeni."},
        {"tr", "Nehre indik çünkü evde çok sıcaktı ve orada bizden başka kimse yoktu."},
        {"vi", "Chúng tôi đi xuống sông vì trong nhà quá nóng và không có ai ở đó."},
        {"id", "Kami pergi ke sungai karena di dalam rumah terlalu panas dan tidak ada orang."},
        {"tl", "Bumaba kami sa ilog dahil mainit ang bahay at wala nang tao sa loob."},
        {"sw", "Tulikwenda mtoni kwa sababu nyumba ilikuwa na joto sana na hakuna mtu katika "
               "nyumba hiyo."},
        {"so", "Waxaan u soconnay webiga maxaa yeelay guriga ayaa aad u kululaa oo lama joogin dad "
               "kale."},
        {"sq", "Ne zbritëm te lumi sepse në shtëpi ishte shumë nxehtë dhe nuk kishte njeri."},
        {"cy", "Aethom ni i lawr at yr afon am fod y tŷ yn rhy boeth ac nid oedd neb yno."},
        {"ca",
         "Vam baixar al riu perquè a la casa feia massa calor i no hi havia ningú amb nosaltres."},
        {"lt",
         "Nuėjome prie upės, nes namuose buvo per karšta ir ten nieko nebuvo, bet tai gerai."},
        {"lv", "Mēs gājām pie upes, jo mājā bija pārāk karsti un tur neviena nebija."},
        {"ru", "Мы пошли к реке, потому что в доме было очень жарко и там никого не было."},
        {"uk", "Ми пішли до річки, бо в будинку було дуже спекотно і там нікого не було."},
        {"bg", "Отидохме до реката, защото в къщата беше много горещо и там нямаше никой."},
        {"mk", "Отидовме до реката затоа што во куќата беше многу топло и немаше никој."},
        {"ar", "ذهبنا إلى النهر لأن البيت كان حارا جدا ولم يكن هناك أحد."},
        {"fa", "ما به رودخانه رفتیم چون خانه خیلی گرم بود و کسی در آن نبود."},
        {"ur", "ہم دریا پر گئے کیونکہ گھر میں بہت گرمی تھی اور وہاں کوئی نہیں تھا۔"},
        {"hi", "हम नदी पर गए क्योंकि घर में बहुत गर्मी थी और वहाँ कोई नहीं था।"},
        {"mr", "आम्ही नदीवर गेलो कारण घरात खूप गरम होते आणि तिथे कोणी नाही."},
        {"ne", "हामी नदीमा गयौं किनभने घर धेरै तातो थियो र त्यहाँ कोही पनि थिएन।"},
        {"el", "Πήγαμε στο ποτάμι."},
        {"he", "הלכנו אל הנהר."},
        {"bn", "আমরা নদীতে গিয়েছিলাম।"},
        {"pa", "ਅਸੀਂ ਨਦੀ ਤੇ ਗਏ।"},
        {"gu", "અમે નદીએ ગયા."},
        {"ta", "நாங்கள் ஆற்றுக்குச் சென்றோம்."},
        {"te", "మేము నదికి వెళ్ళాము."},
        {"kn", "ನಾವು ನದಿಗೆ ಹೋದೆವು."},
        {"ml", "ഞങ്ങൾ പുഴയിലേക്ക് പോയി."},
        {"th", "เราไปที่แม่น้ำ"},
        {"ko", "우리는 강으로 갔습니다."},
        {"ja", "家の中が暑すぎたので、私たちは川へ行きました。"},
        {"zh-cn", "因为屋里太热，我们去了河边，那里没有别人。"},
        {"zh-tw", "因為屋裡太熱，我們去了河邊，那裡沒有別人來過。"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char row[40];
        snprintf(row, sizeof row, "{\"lang\":\"%s\"}", texts[i][0]);
        hone_instance *inst = open_reward("language", "{\"column\":\"lang\"}");
        const answer a = score(inst, texts[i][1], row);
        if (a.status != HONE_SCORE || a.score != 1)
            fail_with("%s: %s (%s)", texts[i][0], a.notes[0], a.reason);
        hone_instance_unref(inst);
    }
}

static void test_language_is_or_share(void **state)
{
    (void)state;
    EXPECT("language", NULL, {"This is not the end.", NULL, 1},
           {"Das ist nicht das Ende.", NULL, 0});
    EXPECT("language", "{\"language\":\"zh\"}", {"因为屋里太热", NULL, 1},
           {"This is it.", NULL, 0});
    /* 15 letters of English in 15 + 18; the name goes with the whole */
    EXPECT("language", "{\"value\":\"share\"}",
           {"This is not the end.\nDas ist nicht das Ende", NULL, 15. / 33},
           {"This is not the end.\nX\n42", NULL, 1});
    hone_instance *inst = open_reward("language", NULL);
    assert_int_equal(score(inst, "42", NULL).status, HONE_ABSTAIN);
    assert_string_equal(score(inst, "Xyzzq", NULL).notes[0], "language=unknown");
    assert_string_equal(score(inst, "bright crystal goodness", NULL).notes[0], "language=en");
    assert_string_equal(score(inst, "Schlechtigkeit, Deutung", NULL).notes[0], "language=de");
    hone_instance_unref(inst);
    assert_fails(try_component("org.hone.reward.language", "{\"language\":\"xx\"}", &inst),
                 HONE_E_INVALID, "not known here");
    inst = open_reward("language", "{\"column\":\"lang\"}");
    assert_int_equal(score(inst, "a", "{\"lang\":\"xx\"}").status, HONE_ERROR);
    assert_int_equal(score(inst, "a", "{}").status, HONE_ERROR);
    hone_instance_unref(inst);
}

static void test_hostile_texts_get_an_outcome(void **state)
{
    (void)state;
    enum { BIG = 200000 };
    static const char *const ids[] = {"combination:two_responses",
                                      "detectable_format:title",
                                      "length_constraints:number_sentences",
                                      "change_case:capital_word_frequency",
                                      "language:response_language",
                                      "detectable_format:json_format",
                                      "length_constraints:number_paragraphs",
                                      "detectable_content:postscript",
                                      "detectable_format:number_highlighted_sections",
                                      "detectable_format:number_bullet_lists"};
    static const char args[] = "{\"num_sentences\":2,\"relation\":\"at "
                               "least\",\"capital_frequency\":1,\"capital_relation\":\"at "
                               "least\",\"language\":\"en\",\"num_paragraphs\":1,\"postscript_"
                               "marker\":\"P.P.S\",\"num_highlights\":1,"
                               "\"num_bullets\":1}";
    static const char fills[] = "*.<[a-\n \"p'{,\xFF";
    char *big = hone_alloc(BIG);
    for (size_t k = 0; k < sizeof ids / sizeof *ids; k++) {
        char row[800];
        hone_value v;
        snprintf(row, sizeof row, "{\"instruction_id_list\":[\"%s\"],\"kwargs\":[%s]}", ids[k],
                 args);
        assert_ok(hone_json_parse(row, strlen(row), NULL, &arena, &v));
        for (size_t f = 0; f < sizeof fills; f++) {
            memset(big, fills[f], BIG);
            assert_int_equal(score_text(loose, big, BIG, &v).status, HONE_SCORE);
        }
    }
    hone_free(big);
    assert_one_life("org.hone.reward.ifeval",
                    "{\"instructions\":\"answer\",\"on_missing\":\"abstain\"}");
    assert_one_life("org.hone.reward.language", "{}");
}

static int open_both(void **state)
{
    (void)state;
    strict = open_reward("ifeval", NULL);
    loose = open_reward("ifeval", "{\"mode\":\"loose\"}");
    return 0;
}
static int close_both(void **state)
{
    (void)state;
    hone_instance_unref(strict);
    hone_instance_unref(loose);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_each_instruction),
        T(test_rows_have_all_or_a_share),
        T(test_published_verdicts_strict),
        T(test_published_verdicts_loose),
        T(test_every_language_is_told),
        T(test_language_is_or_share),
        T(test_hostile_texts_get_an_outcome),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
