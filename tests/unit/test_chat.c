/* Chat templates on messages, and whose tokens they are. The tokenizer is one of a page: bytes, the special tokens
 * of ChatML, Llama 3 and others, and a few merges that join what stands around an answer's beginning. */
#include "text_support.h"

#include "base/file.h"
#include "text/chat.h"

static tt_tokenizer tok;
static hone_arena tok_arena;

static int setup(void **state)
{
    (void)state;
    hone_buf b;
    int rest = 0;
    hone_buf_init(&b, 1 << 20);
    hone_buf_adds(&b, "{\"format\":\"tokenizer.json\",\"json\":{\"added_tokens\":[");
    static const char *const special[] = {"<|im_start|>",
                                          "<|im_end|>",
                                          "<|begin_of_text|>",
                                          "<|start_header_id|>",
                                          "<|end_header_id|>",
                                          "<|eot_id|>",
                                          "<s>",
                                          "</s>",
                                          "<t>"};
    for (int i = 0; i < 9; i++)
        hone_buf_addf(&b, "%s{\"id\":%d,\"content\":\"%s\",\"special\":true}", i ? "," : "",
                      300 + i, special[i]);
    hone_buf_adds(&b, "],\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int i = 0; i < 256; i++) {
        int plain = (i >= '!' && i <= '~') || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        hone_buf_addf(&b, "\"\\u%04x\":%d,", plain ? i : 256 + rest++, i);
    }
    hone_buf_adds(
        &b, "\"\\u010a\\u010a\":256},\"merges\":[\"\\u010a "
            "\\u010a\"]},\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
            "\"decoder\":{\"type\":\"ByteLevel\"}}}");
    hone_arena_init(&tok_arena, 0);
    hone_status s = tt_create_text(&tok, &tok_arena, b.ptr);
    if (s < 0)
        fprintf(stderr, "%s\n", hone_error_get()->what);
    hone_buf_release(&b);
    return s;
}

static int teardown(void **state)
{
    (void)state;
    tt_destroy(&tok);
    hone_arena_release(&tok_arena);
    return 0;
}

#define CHATML                                                                                     \
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] " \
    "+ '<|im_end|>' + '\n'}}"                                                                      \
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
#define LLAMA3                                                                                     \
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + "     \
    "'<|end_header_id|>\n\n'+ message['content'] | trim + "                                        \
    "'<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif "     \
    "%}{{ content }}{% endfor %}"                                                                  \
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% "   \
    "endif %}"
#define TALK                                                                                       \
    "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Hello\"},{"     \
    "\"role\":\"user\",\"content\":\"Bye\"},{\"role\":\"assistant\",\"content\":\"See you\"}]"

/* The rendering with assistant tokens in brackets, or the error. */
static hone_status masked(const char *template, const char *messages, hone_buf *out)
{
    hone_chat *c = NULL;
    hone_arena arena;
    hone_value v;
    hone_tokens t;
    hone_buf text;
    hone_chat_options opt = {.now = 0};
    hone_arena_init(&arena, 0);
    hone_tokens_init(&t, 0);
    hone_buf_init(&text, 1 << 20);
    hone_buf_clear(out);
    hone_status s = hone_json_parse(messages, strlen(messages), "messages", &arena, &v);
    if (s >= 0)
        s = hone_chat_create(hone_str_c(template), "t", hone_str_c("<|begin_of_text|>"),
                             hone_str_c("</s>"), &c);
    if (s >= 0)
        s = hone_chat_encode(c, &tok.t, &v, &opt, &t);
    if (s >= 0)
        s = hone_chat_render(c, &v, &opt, &text);
    for (size_t i = 0; s >= 0 && i < t.n; i++) {
        if (t.mask[i] && (i == 0 || !t.mask[i - 1]))
            hone_buf_addc(out, '[');
        hone_buf_add(out, text.ptr + t.spans[i].begin, t.spans[i].end - t.spans[i].begin);
        if (t.mask[i] && (i + 1 == t.n || !t.mask[i + 1]))
            hone_buf_addc(out, ']');
    }
    hone_chat_destroy(c);
    hone_tokens_release(&t);
    hone_buf_release(&text);
    hone_arena_release(&arena);
    return s;
}

static void masks(const char *template, const char *messages, const char *want)
{
    hone_buf out;
    hone_buf_init(&out, 1 << 20);
    hone_status s = masked(template, messages, &out);
    if (s < 0)
        fprintf(stderr, "%s\n%s\n", hone_error_get()->what, hone_error_get()->detail);
    assert_int_equal(s, HONE_OK);
    assert_string_equal(out.ptr, want);
    hone_buf_release(&out);
}

static void refuses(const char *template, const char *messages, hone_status code, const char *what,
                    const char *shown)
{
    hone_buf out;
    hone_buf_init(&out, 1 << 20);
    hone_status s = masked(template, messages, &out);
    if (s != code)
        fprintf(stderr, "%d %s\n", s, s < 0 ? hone_error_get()->what : out.ptr);
    assert_int_equal(s, code);
    assert_non_null(strstr(hone_error_get()->what, what));
    assert_non_null(strstr(hone_error_get()->detail, shown));
    hone_buf_release(&out);
}

static void test_chatml_masks_each_turn_with_its_end(void **state)
{
    (void)state;
    masks(CHATML, TALK,
          "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n[Hello<|im_end|>]\n<|im_start|>"
          "user\nBye<|im_end|>\n<|im_start|>assistant\n[See you<|im_end|>]\n");
}

static void test_llama3_masks_each_turn_with_its_end(void **state)
{
    (void)state;
    masks(LLAMA3, TALK,
          "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_"
          "id|>assistant<|end_header_id|>\n\n[Hello<|eot_id|>]"
          "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|"
          "end_header_id|>\n\n[See you<|eot_id|>]");
}

static void test_a_header_that_is_always_written_is_nobodys(void **state)
{
    (void)state;
    masks("{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\n{% else %}A: {{ "
          "m.content }}{{ eos_token }}\n{% endif %}{% endfor %}A: ",
          TALK, "Q: Hi\nA: [Hello</s>]\nQ: Bye\nA: [See you</s>]\nA: ");
}

static void test_a_thought_that_only_the_prompt_opens(void **state)
{
    (void)state;
    masks("{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}<A>{{ "
          "m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}"
          "{% endfor %}{% if add_generation_prompt %}<A><think>\n{% endif %}",
          "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"<think>hm<"
          "/think>Hello\"}]",
          "<U>Hi<A>[Hello</s>]");
}

static void test_generation_blocks_are_taken_at_their_word(void **state)
{
    (void)state;
    masks("{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ "
          "m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ '\\n' "
          "}}{% endfor %}",
          TALK,
          "user: Hi\nassistant: [Hello<|im_end|>]\nuser: Bye\nassistant: [See you<|im_end|>]\n");
}

/* "\n" + "\nHi" would be one token: what generation sees is the prompt's own ids. */
static void test_no_token_joins_prompt_and_answer(void **state)
{
    (void)state;
    hone_arena arena;
    hone_value v, first;
    hone_chat *c;
    hone_tokens whole, prompt;
    static const char messages[] =
        "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"\\nYes\"}]";
    hone_chat_options opt = {.add_generation_prompt = 1};
    hone_arena_init(&arena, 0);
    hone_tokens_init(&whole, 0);
    hone_tokens_init(&prompt, 0);
    assert_int_equal(hone_json_parse(messages, strlen(messages), NULL, &arena, &v), HONE_OK);
    assert_int_equal(
        hone_chat_create(hone_str_c(CHATML), NULL, (hone_str){NULL, 0}, (hone_str){NULL, 0}, &c),
        HONE_OK);
    assert_int_equal(hone_chat_encode(c, &tok.t, &v, NULL, &whole), HONE_OK);
    first = v;
    first.u.list.n = 1;
    assert_int_equal(hone_chat_prompt(c, &tok.t, &first, &opt, &prompt), HONE_OK);
    assert_true(prompt.n < whole.n);
    assert_memory_equal(prompt.ids, whole.ids, prompt.n * sizeof *prompt.ids);
    assert_int_equal(whole.mask[prompt.n - 1], 0);
    assert_int_equal(whole.mask[prompt.n], 1);
    assert_int_equal(whole.ids[prompt.n], '\n');
    hone_chat_destroy(c);
    hone_tokens_release(&whole);
    hone_tokens_release(&prompt);
    hone_arena_release(&arena);
}

static void test_given_messages_are_not_trained_on(void **state)
{
    (void)state;
    hone_arena arena;
    hone_value v;
    hone_chat *c;
    hone_tokens all, last;
    hone_chat_options opt = {.given = 3};
    size_t ones = 0, n = 0, first = 0;
    hone_arena_init(&arena, 0);
    hone_tokens_init(&all, 0);
    hone_tokens_init(&last, 0);
    assert_int_equal(hone_json_parse(TALK, strlen(TALK), NULL, &arena, &v), HONE_OK);
    assert_int_equal(
        hone_chat_create(hone_str_c(CHATML), NULL, (hone_str){NULL, 0}, (hone_str){NULL, 0}, &c),
        HONE_OK);
    assert_int_equal(hone_chat_encode(c, &tok.t, &v, NULL, &all), HONE_OK);
    assert_int_equal(hone_chat_encode(c, &tok.t, &v, &opt, &last), HONE_OK);
    assert_int_equal(all.n, last.n);
    assert_memory_equal(all.ids, last.ids, all.n * sizeof *all.ids);
    for (size_t i = 0; i < all.n; i++) {
        ones += all.mask[i];
        first = n == 0 && last.mask[i] ? i : first;
        n += last.mask[i];
        assert_true(last.mask[i] <= all.mask[i]);
    }
    assert_true(n > 0 && n < ones);
    assert_int_equal(last.ids[first], 'S'); /* of "See you" */
    hone_chat_destroy(c);
    hone_tokens_release(&all);
    hone_tokens_release(&last);
    hone_arena_release(&arena);
}

static void test_empty_and_total_masks_are_refused_with_the_text(void **state)
{
    (void)state;
    refuses(CHATML, "[{\"role\":\"user\",\"content\":\"Hi there\"}]", HONE_E_INVALID,
            "mask is empty", "Hi there");
    refuses("{% generation %}{% for m in messages %}{{ m.content }}{% endfor %}{% endgeneration %}",
            TALK, HONE_E_INVALID, "mask is total", "HiHello");
    refuses("{% for m in messages %}{{ m.role }}{% endfor %}", TALK, HONE_E_INVALID,
            "cannot be told", "userassistant");
    refuses("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% else %}{{ m.content "
            "| upper }}{% endif %}{% endfor %}",
            TALK, HONE_E_INVALID, "its text is not found", "HiHELLO");
    /* earlier turns are rendered otherwise once there are later ones */
    refuses("{% for m in messages %}{{ messages | length }}{{ m.content }}{% endfor %}", TALK,
            HONE_E_INVALID, "cannot be told", "4Hi4Hello");
    /* the same text stands in two places */
    refuses(
        "{% for m in messages %}{{ messages | length }}{{ m.content }}{{ m.content }}{% endfor %}",
        TALK, HONE_E_INVALID, "cannot be told", "4HiHi4HelloHello");
}

/* A mark in place of the text finds what comparing cannot. */
static void test_turns_that_change_once_there_are_later_ones(void **state)
{
    (void)state;
    masks("{{ messages[0].content }}{% for m in messages[1:] %}|{{ m.content }}{% endfor %}",
          "[{\"role\":\"assistant\",\"content\":\"x\"},{\"role\":\"user\",\"content\":\"y\"}]",
          "[x]|y");
    /* the last turn opens a thought, earlier ones have none; thoughts in earlier texts are taken out */
    static const char thinker[] =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}"
        "{% if loop.last and '</think>' not in m.content %}<think></think>{% endif %}"
        "{{ m.content if loop.last else m.content.split('</think>')[-1].strip() }}"
        "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    masks(thinker, TALK,
          "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n[Hello<|im_end|>]\n<|im_start|>"
          "user\nBye<|im_end|>\n<|im_start|>assistant\n[<think></think>See you<|im_end|>]\n");
    masks(thinker,
          "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":"
          "\"<think>a</think> Hello\"},{\"role\":\"user\",\"content\":\"Bye\"}]",
          "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n[Hello<|im_end|>]\n<|im_start|>"
          "user\nBye<|im_end|>\n");
}

static void test_messages_must_be_messages(void **state)
{
    (void)state;
    refuses(CHATML, "{}", HONE_E_TYPE, "a list of maps", "");
    refuses(CHATML, "[\"Hi\"]", HONE_E_TYPE, "messages[0]", "");
    refuses(CHATML, "[{\"role\":\"user\",\"content\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}]",
            HONE_E_TYPE, "messages[1]", "");
    assert_non_null(strstr(hone_error_get()->hint, "ShareGPT"));
}

static void test_options_reach_the_template(void **state)
{
    (void)state;
    hone_chat *c;
    hone_buf out;
    hone_arena arena;
    hone_value extra, tools;
    hone_message m[2] = {{{"system", 6}, {"S", 1}}, {{"user", 4}, {"U", 1}}};
    hone_arena_init(&arena, 0);
    hone_buf_init(&out, 1 << 16);
    static const char more[] = "{\"mood\":\"good\",\"eos_token\":\"E\"}", list[] = "[{\"n\":1}]";
    assert_int_equal(hone_json_parse(more, strlen(more), NULL, &arena, &extra), HONE_OK);
    assert_int_equal(hone_json_parse(list, strlen(list), NULL, &arena, &tools), HONE_OK);
    hone_chat_options opt = {
        .extra = &extra, .tools = &tools, .add_generation_prompt = 1, .now = 86400};
    assert_int_equal(
        hone_chat_create(hone_str_c("{{ bos_token is defined }}{{ eos_token }}{{ mood }}{{ "
                                    "tools|tojson }}{{ add_generation_prompt }}"
                                    "{{ strftime_now('%d') }}{% for m in messages %}{{ m.role }}{% "
                                    "endfor %}{{ documents is none }}"),
                         NULL, (hone_str){NULL, 0}, hone_str_c("</s>"), &c),
        HONE_OK);
    assert_int_equal(hone_chat_render_messages(c, m, 2, &opt, &out), HONE_OK);
    assert_string_equal(out.ptr, "FalseEgood[{\"n\": 1}]True02systemuserTrue");
    hone_buf_clear(&out);
    assert_int_equal(hone_chat_render_messages(c, m, 2, NULL, &out),
                     HONE_E_SCRIPT); /* no clock: strftime_now is not there */
    hone_chat_destroy(c);
    hone_buf_release(&out);
    hone_arena_release(&arena);
}

/* Each shared template either masks its conversations so that the answers are in, or says why not. */
static void test_shared_templates_are_masked_or_refused(void **state)
{
    (void)state;
    const char *path = shared_path("goldens/chat_templates.jsonl");
    hone_buf file, text;
    hone_arena arena;
    hone_value row;
    size_t masked_ones = 0, refused_ones = 0;
    if (!path)
        skip_without("goldens/chat_templates.jsonl");
    hone_buf_init(&file, 1 << 26);
    hone_buf_init(&text, 1 << 24);
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_file_read(path, 1 << 26, &file), HONE_OK);
    for (char *p = file.ptr, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_int_equal(hone_json_parse(p, (size_t)(end - p), "golden", &arena, &row), HONE_OK);
        const hone_value *messages = hone_value_get(&row, "messages"),
                         *rendered = hone_value_get(&row, "rendered");
        hone_byte_spans spans;
        hone_chat *c;
        if (!rendered || rendered->type != HONE_STRING)
            continue;
        hone_byte_spans_init(&spans);
        hone_buf_clear(&text);
        assert_int_equal(hone_chat_create(hone_value_get(&row, "source")->u.str, "golden",
                                          hone_value_get(&row, "bos_token")->u.str,
                                          hone_value_get(&row, "eos_token")->u.str, &c),
                         HONE_OK);
        if (hone_chat_render_spans(c, messages, NULL, &text, &spans) >= 0) {
            size_t turn = 0;
            for (size_t i = 0; i < messages->u.list.n; i++) {
                const hone_value *m = &messages->u.list.items[i],
                                 *content = hone_value_get(m, "content");
                if (!hone_str_eq(hone_value_get(m, "role")->u.str, "assistant"))
                    continue;
                assert_true(turn < spans.n);
                hone_str s = {text.ptr + spans.v[turn].begin,
                              spans.v[turn].end - spans.v[turn].begin};
                turn++;
                if (content && content->type == HONE_STRING && content->u.str.len)
                    assert_non_null(memmem(s.ptr, s.len, content->u.str.ptr, content->u.str.len));
            }
            assert_int_equal(turn, spans.n);
            masked_ones += turn > 0;
        } else {
            assert_true(strlen(hone_error_get()->what) > 10);
            refused_ones++;
        }
        hone_byte_spans_release(&spans);
        hone_chat_destroy(c);
    }
    fprintf(stderr, "%zu masked, %zu refused\n", masked_ones, refused_ones);
    assert_int_equal(refused_ones, 0);
    assert_true(masked_ones > 40);
    hone_buf_release(&file);
    hone_buf_release(&text);
    hone_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chatml_masks_each_turn_with_its_end),
        cmocka_unit_test(test_llama3_masks_each_turn_with_its_end),
        cmocka_unit_test(test_a_header_that_is_always_written_is_nobodys),
        cmocka_unit_test(test_a_thought_that_only_the_prompt_opens),
        cmocka_unit_test(test_generation_blocks_are_taken_at_their_word),
        cmocka_unit_test(test_no_token_joins_prompt_and_answer),
        cmocka_unit_test(test_given_messages_are_not_trained_on),
        cmocka_unit_test(test_empty_and_total_masks_are_refused_with_the_text),
        cmocka_unit_test(test_turns_that_change_once_there_are_later_ones),
        cmocka_unit_test(test_messages_must_be_messages),
        cmocka_unit_test(test_options_reach_the_template),
        cmocka_unit_test(test_shared_templates_are_masked_or_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
