/* test_curves.c - training of a real model against PyTorch: loss and gradient norm, update by update.
 *
 * Full SFT, LoRA SFT, DPO and GRPO of SmolLM2-135M-Instruct as goldens/smollm2.json has them: losses to
 * 1e-3 max(1, |x|), gradient norms to 1 %. Needs the material beside the project and the fetched model; takes
 * minutes, so it runs only with HONE_FULL=1 (scripts/check --full). The first two updates of full
 * SFT run always. */
#include "models.h"

#include "hone/objective.h"
#include "train/update.h"

#define MODEL "smollm2-135m-instruct"

typedef struct fixture {
    hone_env env;
    hone_arena arena;
    hone_value golden;
    hone_str *question, *answer; /* GSM8K lines 0..7 */
} fixture;

static int slow(void)
{
    const char *z = getenv("HONE_FULL");
    return z && z[0] == '1';
}

#ifdef __SANITIZE_THREAD__
/* minutes for one step; smaller tests have the same threads */
#define NEEDED "patience (the thread sanitizer is on)"
enum { PATIENT = 0 };
#else
#define NEEDED "goldens/smollm2.json or the model " MODEL
enum { PATIENT = 1 };
#endif

static int open_fixture(fixture *f)
{
    const char *golden = shared_path("goldens/smollm2.json");
    const char *gsm = shared_path("assets/data/gsm8k/train.jsonl");
    char *path;
    memset(f, 0, sizeof *f);
    if (!PATIENT || !golden || !gsm || hone_weights_locate(MODEL, &path) < 0)
        return 0;
    hone_free(path);
    hone_arena_init(&f->arena, (size_t)1 << 30);
    assert_ok(hone_json_parse_file(golden, 0, &f->arena, &f->golden));
    f->env.registry = shipped();
    assert_ok(hone_pool_create(0, &f->env.pool));
    f->question = hone_arena_calloc(&f->arena, 8, sizeof *f->question);
    f->answer = hone_arena_calloc(&f->arena, 8, sizeof *f->answer);
    FILE *in = fopen(gsm, "r");
    char *line = NULL;
    size_t cap = 0;
    assert_non_null(in);
    for (int i = 0; i < 8; i++) {
        hone_value row;
        ssize_t n = getline(&line, &cap, in);
        assert_true(n > 0);
        assert_ok(hone_json_parse(line, (size_t)n, gsm, &f->arena, &row));
        assert_ok(hone_value_string(&row, "question", (hone_str){"", 0}, &f->question[i]));
        assert_ok(hone_value_string(&row, "answer", (hone_str){"", 0}, &f->answer[i]));
    }
    free(line);
    fclose(in);
    return 1;
}

static void close_fixture(fixture *f)
{
    hone_pool_destroy(f->env.pool);
    hone_arena_release(&f->arena);
}

static hone_policy *policy(fixture *f, const char *optimizer_json, double lr)
{
    hone_policy_config cfg = {
        .name = "policy", .model = MODEL, .optimizer = optimizer_json ? "adamw" : NULL};
    hone_value v;
    hone_policy *p;
    if (optimizer_json) {
        assert_ok(
            hone_json_parse(optimizer_json, strlen(optimizer_json), "optimizer", &f->arena, &v));
        cfg.optimizer_config = &v;
    }
    assert_ok(hone_policy_create(&f->env, &cfg, &p));
    p->lr = lr;
    return p;
}

/* Ids of one user turn with the generation prompt. */
static void prompt_ids(hone_policy *p, fixture *f, hone_str text, hone_tokens *out)
{
    hone_message m = {hone_str_c("user"), text};
    hone_value list;
    assert_ok(hone_chat_messages(&m, 1, &f->arena, &list));
    hone_tokens_init(out, 0);
    assert_ok(hone_policy_encode_messages(p, &list, NULL, out, NULL));
}

static void completion_ids(hone_policy *p, hone_str text, hone_tokens *out)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_buf_add_str(&b, text);
    assert_ok(hone_buf_adds(&b, "<|im_end|>\n"));
    hone_tokens_init(out, 0);
    assert_ok(
        hone_tokenizer_encode(&p->text->tokenizer, hone_buf_str(&b), HONE_ENCODE_SPECIAL, out));
    hone_buf_release(&b);
}

typedef struct pair_of_ids {
    hone_tokens prompt, completion;
    hone_train_seq seq;
} pair_of_ids;

static void sft_tree(hone_policy *p, fixture *f, int line, size_t max, pair_of_ids *x,
                     hone_train_tree *t)
{
    prompt_ids(p, f, f->question[line], &x->prompt);
    completion_ids(p, f->answer[line], &x->completion);
    if (x->prompt.n + x->completion.n > max)
        x->completion.n = max - x->prompt.n;
    x->seq = (hone_train_seq){.ids = x->completion.ids, .n = x->completion.n};
    *t = (hone_train_tree){
        .prompt = x->prompt.ids, .n_prompt = x->prompt.n, .seqs = &x->seq, .n_seqs = 1};
}

static void release_ids(pair_of_ids *x)
{
    hone_tokens_release(&x->prompt);
    hone_tokens_release(&x->completion);
}

static double number(const hone_value *row, const char *key)
{
    double v;
    assert_ok(hone_value_f64(row, key, NAN, &v));
    return v;
}

static void check_row(const hone_value *row, const hone_metrics *m, const char *what, size_t step)
{
    double loss, norm, want = number(row, "loss"), want_norm = number(row, "grad_norm");
    assert_true(hone_metrics_get(m, "loss", &loss));
    assert_true(hone_metrics_get(m, "grad_norm", &norm));
    if (fabs(loss - want) > 1e-3 * fmax(1, fabs(want)) || fabs(norm - want_norm) > 0.01 * want_norm)
        fail_with("%s step %zu: loss %.7f (golden %.7f), gradient norm %.5f (golden %.5f)", what,
                  step, loss, want, norm, want_norm);
}

static void run_sft(fixture *f, hone_policy *p, const char *key, double lr, size_t max_steps)
{
    const hone_value *rows = hone_value_path(&f->golden, key);
    hone_ref ref;
    hone_instance *inst = open_component("org.hone.objective.sft", NULL, HONE_IFACE_OBJECTIVE,
                                         &ref);
    for (size_t s = 0; s < rows->u.list.n && s < max_steps; s++) {
        pair_of_ids x[2];
        hone_train_tree t[2];
        hone_metrics m;
        hone_update_params u = {
            .objective = ref.vt, .objective_self = ref.self, .temperature = 1, .lr = lr, .clip = 1};
        for (int i = 0; i < 2; i++)
            sft_tree(p, f, (int)((2 * s + (size_t)i) % 8), 256, &x[i], &t[i]);
        hone_metrics_init(&m);
        assert_ok(hone_policy_step(p, t, 2, &u, &m));
        check_row(&rows->u.list.items[s], &m, key, s);
        hone_metrics_release(&m);
        release_ids(&x[0]);
        release_ids(&x[1]);
    }
    hone_instance_unref(inst);
}

static void test_full_sft_follows_pytorch(void **state)
{
    (void)state;
    fixture f;
    if (!open_fixture(&f))
        skip_without(NEEDED);
    hone_policy *p = policy(&f, "{\"weight_decay\": 0.01}", 1e-5);
    run_sft(&f, p, "sft_full.rows", 1e-5, slow() ? 99 : 2);
    hone_policy_destroy(p);
    close_fixture(&f);
}

/* A of every adapted matrix gets the golden's values; B stays zero. */
static void set_lora(hone_policy *p)
{
    static const char *const roles[] = {"q", "k", "v", "o", "gate", "up", "down"};
    hone_params *ps = p->model->params;
    int idx = 0;
    for (uint32_t layer = 0; layer < p->model->info.n_layers; layer++) {
        for (size_t r = 0; r < 7; r++) {
            for (int32_t i = 0; i < hone_params_count(ps); i++) {
                const hone_param_item *base = hone_params_item(ps, i);
                hone_lora l;
                if (!base || base->adapter >= 0 || base->is_vector || base->layer != layer ||
                    strcmp(base->role, roles[r]) != 0)
                    continue;
                if (hone_params_loras(ps, i, 1u, &l, 1) != 1)
                    continue;
                const hone_param_item *a = hone_params_item(ps, l.a);
                float *v = hone_calloc((size_t)(a->rows * a->cols), sizeof *v);
                assert_non_null(v);
                for (int64_t n = 0; n < a->rows * a->cols; n++)
                    v[n] = (float)(0.02 * sin(0.37 * (double)n + idx));
                assert_ok(hone_params_set_rows(ps, l.a, 0, a->rows, v));
                hone_free(v);
                idx++;
            }
        }
    }
    assert_int_equal(idx, 7 * (int)p->model->info.n_layers);
}

static void test_lora_sft_follows_pytorch(void **state)
{
    (void)state;
    fixture f;
    if (!slow())
        skip_without("HONE_FULL=1");
    if (!open_fixture(&f))
        skip_without(NEEDED);
    hone_policy_config cfg = {
        .name = "policy", .model = MODEL, .optimizer = "adamw", .lora = {.rank = 8, .alpha = 16}};
    hone_policy *p;
    assert_ok(hone_policy_create(&f.env, &cfg, &p));
    set_lora(p);
    run_sft(&f, p, "sft_lora.rows", 1e-3, 99);
    hone_policy_destroy(p);
    close_fixture(&f);
}

static hone_str value_text(const hone_value *v)
{
    hone_str s = {"", 0};
    assert_ok(hone_value_string(v, "value", s, &s));
    return s;
}

static void test_dpo_follows_pytorch(void **state)
{
    (void)state;
    static const size_t lines[] = {10, 11, 18};
    fixture f;
    hone_value data;
    hone_ref ref;
    if (!slow())
        skip_without("HONE_FULL=1");
    if (!open_fixture(&f))
        skip_without(NEEDED);
    const char *path = shared_path("assets/data/preference/dpo_en_demo.json");
    assert_non_null(path);
    assert_ok(hone_json_parse_file(path, 0, &f.arena, &data));
    hone_policy *p = policy(&f, "{}", 1e-6), *base;
    assert_ok(hone_policy_copy(p, "reference", &base));
    hone_instance *inst = open_component("org.hone.objective.dpo", NULL, HONE_IFACE_OBJECTIVE,
                                         &ref);
    const hone_value *rows = hone_value_path(&f.golden, "dpo.rows");
    for (size_t s = 0; s < 3; s++) {
        const hone_value *row = &data.u.list.items[lines[s]];
        const hone_value *turns = hone_value_get(row, "conversations");
        hone_tokens prompt, side[2];
        hone_train_seq seqs[2];
        hone_metrics m;
        prompt_ids(p, &f, value_text(&turns->u.list.items[0]), &prompt);
        completion_ids(p, value_text(hone_value_get(row, "chosen")), &side[0]);
        completion_ids(p, value_text(hone_value_get(row, "rejected")), &side[1]);
        for (int i = 0; i < 2; i++)
            seqs[i] = (hone_train_seq){.ids = side[i].ids,
                                       .n = side[i].n,
                                       .role = i ? HONE_ROLE_REJECTED : HONE_ROLE_CHOSEN};
        hone_train_tree t = {.prompt = prompt.ids, .n_prompt = prompt.n, .seqs = seqs, .n_seqs = 2};
        hone_update_params u = {.objective = ref.vt,
                                .objective_self = ref.self,
                                .temperature = 1,
                                .lr = 1e-6,
                                .clip = 1,
                                .reference = HONE_REF_MODEL,
                                .reference_policy = base};
        hone_metrics_init(&m);
        assert_ok(hone_policy_step(p, &t, 1, &u, &m));
        check_row(&rows->u.list.items[s], &m, "dpo", s);
        hone_metrics_release(&m);
        hone_tokens_release(&prompt);
        hone_tokens_release(&side[0]);
        hone_tokens_release(&side[1]);
    }
    hone_instance_unref(inst);
    hone_policy_destroy(base);
    hone_policy_destroy(p);
    close_fixture(&f);
}

static void test_grpo_follows_pytorch(void **state)
{
    (void)state;
    fixture f;
    hone_ref ref;
    hone_tokens prompt, side[4];
    hone_train_seq seqs[4];
    if (!slow())
        skip_without("HONE_FULL=1");
    if (!open_fixture(&f))
        skip_without(NEEDED);
    hone_policy *p = policy(&f, "{}", 1e-6), *base;
    assert_ok(hone_policy_copy(p, "reference", &base));
    hone_instance *inst = open_component("org.hone.objective.grpo",
                                         "{\"beta\": 0.04, \"compat\": \"trl\"}",
                                         HONE_IFACE_OBJECTIVE, &ref);
    const hone_value *rows = hone_value_path(&f.golden, "grpo.rows");
    const hone_value *adv = hone_value_path(&f.golden, "grpo.advantages");
    const hone_value *texts = hone_value_path(&f.golden, "grpo.completions");
    prompt_ids(p, &f, f.question[0], &prompt);
    float old[4][256];
    for (int i = 0; i < 4; i++) {
        completion_ids(p, texts->u.list.items[i].u.str, &side[i]);
        assert_true(side[i].n <= 256);
        seqs[i] = (hone_train_seq){.ids = side[i].ids,
                                   .n = side[i].n,
                                   .full_logp = old[i],
                                   .sampler_logp = old[i],
                                   .seq_advantage = adv->u.list.items[i].u.f64};
    }
    hone_train_tree t = {.prompt = prompt.ids, .n_prompt = prompt.n, .seqs = seqs, .n_seqs = 4};
    float all[1024];
    size_t at = 0;
    assert_ok(hone_policy_logprobs(p, &t, 1, 1, HONE_ADAPTERS_ACTIVE, 0, all));
    for (int i = 0; i < 4; i++) {
        memcpy(old[i], all + at, side[i].n * sizeof(float));
        at += side[i].n;
    }
    for (size_t s = 0; s < 3; s++) {
        hone_metrics m;
        hone_update_params u = {.objective = ref.vt,
                                .objective_self = ref.self,
                                .temperature = 1,
                                .lr = 1e-6,
                                .clip = 1,
                                .reference = HONE_REF_MODEL,
                                .reference_policy = base,
                                .full_is_old = 1};
        double lo, hi;
        hone_metrics_init(&m);
        assert_ok(hone_policy_step(p, &t, 1, &u, &m));
        check_row(&rows->u.list.items[s], &m, "grpo", s);
        assert_true(hone_metrics_get(&m, "ratio/min", &lo) &&
                    hone_metrics_get(&m, "ratio/max", &hi));
        assert_true(fabs(lo - number(&rows->u.list.items[s], "ratio_min")) < 5e-3);
        assert_true(fabs(hi - number(&rows->u.list.items[s], "ratio_max")) < 5e-3);
        hone_metrics_release(&m);
    }
    for (int i = 0; i < 4; i++)
        hone_tokens_release(&side[i]);
    hone_tokens_release(&prompt);
    hone_instance_unref(inst);
    hone_policy_destroy(base);
    hone_policy_destroy(p);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_full_sft_follows_pytorch),
                                       cmocka_unit_test(test_lora_sft_follows_pytorch),
                                       cmocka_unit_test(test_dpo_follows_pytorch),
                                       cmocka_unit_test(test_grpo_follows_pytorch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
