# core/nn
libhone_a_SOURCES += \
	core/nn/adapters.c \
	core/nn/adapter_merge.c \
	core/nn/adapter_norms.c \
	core/nn/adapter_svd.c \
	core/nn/forest.c \
	core/nn/load.c \
	core/nn/model.c \
	core/nn/packs.c \
	core/nn/params.c \
	core/nn/params_rows.c \
	core/nn/state.c \
	core/nn/tokenizer_files.c \
	core/nn/value_head.c
# files of models
libhone_a_SOURCES += core/nn/choose.c core/nn/convert.c core/nn/dequant.c core/nn/gguf.c \
	core/nn/gguf_tokenizer.c core/nn/gguf_write.c core/nn/hf.c core/nn/hf_tokenizer.c core/nn/llama2c.c core/nn/peft.c core/nn/peft_write.c \
	core/nn/quant.c core/nn/quant_keep.c \
	core/nn/quant_k.c core/nn/reader.c core/nn/safetensors.c
