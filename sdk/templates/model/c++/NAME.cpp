/* @name@.cpp - a model: an embedding, one mixing layer with a residual, a norm; the embedding is the head too.
 *
 * `declare` names the parameters, `forward` calls the host's operations on them. It never sees gradients, memory or
 * threads: the same function trains, scores and generates. It has no attention, so it sees one token at a time. */
#include "hone/hone.hpp"

namespace
{
const hone_value *member(const hone_value *map, std::string_view name)
{
    for (size_t i = 0; map && map->type == HONE_MAP && i < map->u.map.n; i++)
        if (hone::view(map->u.map.pairs[i].key) == name)
            return &map->u.map.pairs[i].value;
    return nullptr;
}

/* A whole number 1..1000000 of the configuration, told to the host as understood. */
int64_t number(const hone_store_v1 *store, const hone_value *config, const char *key)
{
    const hone_value *v = member(config, key);
    store->used_key(store, key);
    if (!v || v->type != HONE_I64 || v->u.i64 < 1 || v->u.i64 > 1000000)
        throw hone::error(HONE_E_INVALID, std::string(key) + ": a whole number from 1 to 1000000");
    return v->u.i64;
}

class @name@
{
  public:
    @name@(hone::host, hone::config) {}
    void declare(const hone_value *config, const hone_store_v1 *store)
    {
        store->used_key(store, "model_type");
        vocabulary_ = number(store, config, "vocab_size");
        hidden_ = number(store, config, "hidden_size");
        embed_ = param(store, "embed.weight", "embed", vocabulary_, hidden_, HONE_INIT_NORMAL, .02f,
                       HONE_PARAM_EMBEDDING | HONE_PARAM_HEAD);
        mix_ = param(store, "mix.weight", "up", hidden_, hidden_, HONE_INIT_NORMAL, .2f, 0);
        norm_ = param(store, "norm.weight", "norm", hidden_, 0, HONE_INIT_ONE, 0, HONE_PARAM_NORM);
        hone_model_info info{};
        info.struct_size = sizeof info;
        info.n_layers = 1;
        info.vocab_size = vocabulary_;
        info.hidden = hidden_;
        info.max_positions = 4096;
        info.embed = info.head = embed_;
        info.logit_scale = info.embed_scale = 1;
        store->info(store, &info);
        json_ = "{\"model_type\": \"@name@\", \"vocab_size\": " + std::to_string(vocabulary_) +
                ", \"hidden_size\": " + std::to_string(hidden_) + "}";
    }
    hone_tensor forward(const hone_graph_v1 *g, hone_ctx *c) const
    {
        hone_tensor x = g->embed(c, embed_, 1);
        g->block(c, 0);
        x = g->add(c, x, g->gelu(c, g->linear(c, x, mix_, HONE_NONE)));
        return g->rmsnorm(c, x, norm_, 1e-5f, 0);
    }
    hone_str json() const
    {
        return hone::str(json_);
    }

  private:
    static hone_param param(const hone_store_v1 *store, const char *name, const char *role,
                            int64_t rows, int64_t cols, uint32_t init, float std, uint32_t flags)
    {
        hone_param_spec s{};
        s.struct_size = sizeof s;
        s.name = name;
        s.role = role;
        s.rows = rows;
        s.cols = cols;
        s.init = init;
        s.init_std = std;
        s.flags = flags;
        return store->param(store, &s);
    }
    int64_t vocabulary_ = 0, hidden_ = 0;
    hone_param embed_ = HONE_NONE, mix_ = HONE_NONE, norm_ = HONE_NONE;
    std::string json_;
};

int32_t probe(void *, hone_str format, const hone_value *config) noexcept
{
    const hone_value *type = member(config, "model_type");
    return hone::view(format) == "hf" && type && type->type == HONE_STRING &&
                   hone::view(type->u.str) == "@name@"
               ? 100
               : 0;
}
hone_status declare(void *self, hone_str, const hone_value *config,
                    const hone_store_v1 *store) noexcept
{
    return hone::enter<@name@>(self, [&](@name@ &m) { m.declare(config, store); });
}
hone_tensor forward(void *self, const hone_graph_v1 *g, hone_ctx *c) noexcept
{
    return hone::object<@name@>(self).forward(g, c);
}
hone_str config_json(void *self) noexcept
{
    return hone::object<@name@>(self).json();
}

const hone_model_v1 table = {sizeof(hone_model_v1), 0, probe, declare, forward, config_json, nullptr};
const void *get_iface(void *, const char *id) noexcept
{
    return std::strcmp(id, HONE_IFACE_MODEL) == 0 ? &table : nullptr;
}
const char *const provides[] = {HONE_IFACE_MODEL, nullptr};
const hone_component component = hone::component<@name@>(
    "@id@", HONE_KIND_MODEL, "0.1.0", "a token at a time through one mixing layer",
    HONE_CAP_DETERMINISTIC | HONE_CAP_BATCH_INVARIANT, nullptr, provides, nullptr, get_iface);
} // namespace

HONE_CPP_PLUGIN(0x000100, &component);
