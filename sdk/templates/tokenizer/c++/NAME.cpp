/* @name@.cpp - a tokenizer: a token a byte, and one that ends a text.
 *
 * It takes a tokenizer.json whose model has the type "@name@"; any other description it leaves to the next
 * tokenizer component (HONE_E_UNSUPPORTED). Ids 0 to 255 are the bytes, 256 is "<|end|>". */
#include "hone/hone.hpp"

#include <array>
#include <vector>

namespace
{
constexpr int32_t END = 256, VOCABULARY = 257;
constexpr std::string_view end_text = "<|end|>";
const hone_field spec = HONE_MAP_INIT("spec", HONE_REQUIRED, "the description that the host has read");
const hone_field *const fields[] = {&spec, nullptr};

const hone_value *member(const hone_value *map, std::string_view name)
{
    for (size_t i = 0; map && map->type == HONE_MAP && i < map->u.map.n; i++)
        if (hone::view(map->u.map.pairs[i].key) == name)
            return &map->u.map.pairs[i].value;
    return nullptr;
}

class @name@
{
  public:
    @name@(hone::host, hone::config c)
    {
        const hone_value *type = member(member(member(c.value(0), "json"), "model"), "type");
        if (!type || type->type != HONE_STRING || hone::view(type->u.str) != "@name@")
            throw hone::error(HONE_E_UNSUPPORTED, "a description of another tokenizer");
        for (size_t i = 0; i < alphabet_.size(); i++)
            alphabet_[i] = static_cast<char>(i);
    }
    void encode(const hone_str *texts, size_t n, uint32_t flags, const hone_ids_sink *sink) const
    {
        for (size_t i = 0; i < n; i++) {
            const std::string_view text = hone::view(texts[i]);
            if (text.size() >= UINT32_MAX)
                throw hone::error(HONE_E_LIMIT, "a text is longer than 4 GiB");
            std::vector<int32_t> ids;
            std::vector<hone_span32> spans;
            for (size_t at = 0; at < text.size();) {
                const bool special =
                    (flags & HONE_ENCODE_SPECIAL) && text.substr(at, end_text.size()) == end_text;
                const size_t len = special ? end_text.size() : 1;
                ids.push_back(special ? END : static_cast<unsigned char>(text[at]));
                spans.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + len)});
                at += len;
            }
            if (flags & HONE_ENCODE_ADD) {
                const uint32_t end = static_cast<uint32_t>(text.size());
                ids.push_back(END);
                spans.push_back({end, end});
            }
            if (sink->put(sink, i, ids.data(), flags & HONE_ENCODE_OFFSETS ? spans.data() : nullptr,
                          ids.size()) < 0)
                throw hone::error(HONE_E_CANCELLED, "the host takes no more ids");
        }
    }
    void decode(const hone_ids *ids, size_t n, uint32_t flags, const hone_text_sink *sink) const
    {
        for (size_t i = 0; i < n; i++) {
            std::string text;
            for (size_t k = 0; k < ids[i].n; k++) {
                const int32_t id = ids[i].ids[k];
                if (id < 0 || id >= VOCABULARY)
                    throw hone::error(HONE_E_RANGE, "there is no token " + std::to_string(id));
                if (id < END)
                    text += static_cast<char>(id);
                else if (!(flags & HONE_DECODE_SKIP_SPECIAL))
                    text += end_text;
            }
            if (sink->put(sink, i, hone::str(text)) < 0)
                throw hone::error(HONE_E_CANCELLED, "the host takes no more text");
        }
    }
    hone_str token(int32_t id) const
    {
        if (id == END)
            return hone::str(end_text);
        return id >= 0 && id < END ? hone_str{&alphabet_[static_cast<size_t>(id)], 1}
                                   : hone_str{nullptr, 0};
    }

  private:
    std::array<char, 256> alphabet_{};
};

hone_status encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                   const hone_ids_sink *sink) noexcept
{
    return hone::enter<@name@>(self, [&](const @name@ &t) { t.encode(texts, n, flags, sink); });
}
hone_status decode(void *self, const hone_ids *ids, size_t n, uint32_t flags,
                   const hone_text_sink *sink) noexcept
{
    return hone::enter<@name@>(self, [&](const @name@ &t) { t.decode(ids, n, flags, sink); });
}
int32_t vocab_size(void *) noexcept
{
    return VOCABULARY;
}
hone_str token_bytes(void *self, int32_t id) noexcept
{
    return hone::object<@name@>(self).token(id);
}
int32_t token_id(void *, hone_str text) noexcept
{
    if (hone::view(text) == end_text)
        return END;
    return text.len == 1 ? static_cast<unsigned char>(text.ptr[0]) : -1;
}
int32_t special(void *, const char *name) noexcept
{
    return std::strcmp(name, "eos") == 0 ? END : -1;
}
int32_t is_special(void *, int32_t id) noexcept
{
    return id == END;
}
void fingerprint(void *, char out_hex[65]) noexcept
{
    /* 64 digits that change with the vocabulary and the rules: there is only one of both */
    std::memset(out_hex, '0', 64);
    std::memcpy(out_hex, "b17e5001", 8);
    out_hex[64] = 0;
}

const hone_tokenizer_v1 table = {sizeof(hone_tokenizer_v1), 0, encode, decode, vocab_size,
                                 token_bytes, token_bytes, token_id, special, is_special,
                                 fingerprint};
const void *get_iface(void *, const char *id) noexcept
{
    return std::strcmp(id, HONE_IFACE_TOKENIZER) == 0 ? &table : nullptr;
}
const char *const provides[] = {HONE_IFACE_TOKENIZER, nullptr};
const hone_component component = hone::component<@name@>(
    "@id@", HONE_KIND_TOKENIZER, "0.1.0", "a token a byte",
    HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT | HONE_CAP_BATCH_INVARIANT, fields,
    provides, nullptr, get_iface);
} // namespace

HONE_CPP_PLUGIN(0x000100, &component);
