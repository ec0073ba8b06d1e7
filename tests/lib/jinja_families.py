"""jinja_families.py - templates of ours, each with the constructs that the published templates of a family of models use:
thoughts cut out of earlier turns and a search from behind (Qwen3), tools in the first user turn and dates (Llama 3.x), lists of
calls with ids of nine letters (Mistral), roles that alternate or raise (Gemma), namespaces of flags (DeepSeek), macros that write
types of arguments (harmony, Hermes, Command-R), generation blocks (SmolLM3), sorting and indexes (Phi-4, Granite). None is a copy."""
FAMILIES = [
# search from behind for the last question, thoughts of earlier turns left out
r"""{%- if tools %}
    {{- '<|sys|>\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\n\n' }}
    {%- endif %}
    {{- "# Tools\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools>\n{\"name\": <name>}<|end|>\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}{{- '<|sys|>' + messages[0].content + '<|end|>\n' }}{%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|' + message.role + '|>\n' + content + '<|end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|' + message.role + '|>\n<think>\n' + reasoning_content.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
            {%- else %}
                {{- '<|' + message.role + '|>\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|' + message.role + '|>\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}{{- '\n' }}{%- endif %}
                {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
                {{- '<tool_call>\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}{{- tool_call.arguments }}{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
                {{- '}\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|user|>' }}{%- endif %}
        {{- '\n<tool_response>\n' }}{{- content }}{{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|end|>\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}""",
# tools in the first user turn, dates, one call a turn
r"""{{- bos_token }}
{%- if custom_tools is defined %}{%- set tools = custom_tools %}{%- endif %}
{%- if not tools_in_user_message is defined %}{%- set tools_in_user_message = true %}{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<h>system</h>\n\n" }}
{%- if builtin_tools is defined or tools is not none %}{{- "Environment: py\n" }}{%- endif %}
{%- if builtin_tools is defined %}{{- "Tools: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\n\n"}}{%- endif %}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}<e>
{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Cannot put tools in the first user message when there's no first user message!") }}
    {%- endif %}
    {{- '<h>user</h>\n\nGiven the following functions\n' }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\n\n" }}{%- endfor %}
    {{- first_user_message + "<e>"}}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<h>' + message['role'] + '</h>\n\n'+ message['content'] | trim + '<e>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("This model only supports single tool-calls at once!") }}{%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {%- if builtin_tools is defined and tool_call.name in builtin_tools %}
            {{- "<py>" + tool_call.name + ".call(" }}
            {%- for arg_name, arg_val in tool_call.arguments | items %}
                {{- arg_name + '="' + arg_val + '"' }}{%- if not loop.last %}{{- ", " }}{%- endif %}
            {%- endfor %}{{- ")" }}
        {%- else  %}
            {{- '<h>assistant</h>\n\n{"name": "' + tool_call.name + '", "parameters": ' }}{{- tool_call.arguments | tojson }}{{- "}" }}
        {%- endif %}
        {%- if builtin_tools is defined %}{{- "<eom>" }}{%- else %}{{- "<e>" }}{%- endif %}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<h>ipython</h>\n\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
        {{- "<e>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<h>assistant</h>\n\n' }}{%- endif %}""",
# turns counted by a namespace; ids checked; the last user turn gets the tools
r"""{%- if messages[0]["role"] == "system" %}{%- set system_message = messages[0]["content"] %}{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}{{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}{%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[TOOLS][" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}{{- '"' + key + '": "' + val + '"' }}{%- else %}{{- '"' + key + '": ' + val|tojson }}{%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}{%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}{{- "[/TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}{{- "[INST]" + system_message + "\n\n" + message["content"] + "[/INST]" }}{%- else %}{{- "[INST]" + message["content"] + "[/INST]" }}{%- endif %}
    {%- elif (message.tool_calls is defined and message.tool_calls is not none) %}
        {{- "[CALLS][" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}{%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}{{- message["content"] + eos_token}}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {%- if message.content is defined and message.content.content is defined %}{%- set content = message.content.content %}{%- else %}{%- set content = message.content %}{%- endif %}
        {{- '[RESULTS]{"content": ' + content|string + ", " }}
        {{- '"call_id": "' + message.tool_call_id + '"}[/RESULTS]' }}
    {%- else %}{{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}{%- endif %}
{%- endfor %}""",
# alternate or raise; content in parts; first user turn takes the system's
r"""{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}{%- endif -%}
    {%- if (message['role'] == 'assistant') -%}{%- set role = "model" -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
    {{ '<start>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}{{ '<image>' }}{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}
        {%- endfor -%}
    {%- else -%}{{ raise_exception("Invalid content type") }}{%- endif -%}
    {{ '<end>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{'<start>model
'}}{%- endif -%}""",
# many flags in one namespace, strings of system turns put together
r"""{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='', is_first_sp=true) %}{%- for message in messages %}{%- if message['role'] == 'system' %}{%- if ns.is_first_sp %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}{% set ns.is_first_sp = false %}{%- else %}{% set ns.system_prompt = ns.system_prompt + '\n\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system_prompt }}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<U>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and 'tool_calls' in message %}{%- set ns.is_tool = false -%}{%- for tool in message['tool_calls'] %}{%- if not ns.is_first %}{%- if message['content'] is none %}{{'<A><calls><call>' + tool['type'] + '<sep>' + tool['function']['name'] + '\n```json\n' + (tool['function']['arguments']|tojson) + '\n```<end>'}}{%- else %}{{'<A>' + message['content'] + '<calls>' + tool['type'] + '<sep>' + tool['function']['name'] + '\n'}}{%- endif %}{%- set ns.is_first = true -%}{%- else %}{{'\n<call>' + tool['type'] + '<sep>' + tool['function']['name']}}{%- endif %}{%- endfor %}{{'<calls_end>'}}{%- endif %}{%- if message['role'] == 'assistant' and 'tool_calls' not in message %}{%- if ns.is_tool %}{{'<outs_end>' + message['content'] + '<eos>'}}{%- set ns.is_tool = false -%}{%- else %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<A>' + content + '<eos>'}}{%- endif %}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{%- if ns.is_output_first %}{{'<outs><out>' + message['content'] + '<out_end>'}}{%- set ns.is_output_first = false %}{%- else %}{{'<out>' + message['content'] + '<out_end>'}}{%- endif %}{%- endif %}{%- endfor -%}{% if ns.is_tool %}{{'<outs_end>'}}{% endif %}{% if add_generation_prompt and not ns.is_tool %}{{'<A><think>\n'}}{% endif %}""",
# macros that write the types of arguments, calling each other and themselves
r"""{%- macro render_type(param_spec, is_nullable=false) -%}
    {%- if param_spec.type == "array" -%}
        {%- if param_spec['items'] -%}
            {%- if param_spec['items']['type'] == "string" -%}{{- "string[]" }}
            {%- elif param_spec['items']['type'] == "number" -%}{{- "number[]" }}
            {%- else -%}
                {%- set inner = render_type(param_spec['items']) -%}
                {%- if inner == "object | object" or inner|length > 50 -%}{{- "any[]" }}{%- else -%}{{- inner + "[]" }}{%- endif -%}
            {%- endif -%}
            {%- if param_spec.nullable -%}{{- " | null" }}{%- endif -%}
        {%- else -%}{{- "any[]" }}{%- endif -%}
    {%- elif param_spec.type is defined and param_spec.type is iterable and param_spec.type is not string and param_spec.type is not mapping and param_spec.type[0] is defined -%}
        {%- if param_spec.type | length > 1 -%}{{- param_spec.type | join(" | ") }}{%- else -%}{{- param_spec.type[0] }}{%- endif -%}
    {%- elif param_spec.oneOf -%}
        {%- set has_object = false -%}
        {%- for variant in param_spec.oneOf -%}
            {%- if variant.type == "object" -%}{%- set has_object = true -%}{%- endif -%}
            {{- render_type(variant) -}}
            {%- if variant.description %}{{- "// " + variant.description }}{%- endif -%}
            {%- if variant.default is defined %}{{ "// default: " + variant.default|tojson }}{%- endif -%}
            {%- if not loop.last %}{{- " | " }}{% endif -%}
        {%- endfor -%}
    {%- elif param_spec.type == "string" -%}
        {%- if param_spec.enum -%}{{- '"' + param_spec.enum|join('" | "') + '"' -}}{%- else -%}{{- "string" }}{%- if param_spec.nullable %}{{- " | null" }}{%- endif -%}{%- endif -%}
    {%- elif param_spec.type == "object" -%}
        {%- if param_spec.properties -%}
            {{- "{\n" }}
            {%- for prop_name, prop_spec in param_spec.properties.items() -%}
                {{- prop_name -}}{%- if prop_name not in (param_spec.required or []) -%}{{- "?" }}{%- endif -%}
                {{- ": " }}{{ render_type(prop_spec) }}
                {%- if not loop.last -%}{{-", " }}{%- endif -%}
            {%- endfor -%}{{- "}" }}
        {%- else -%}{{- "object" }}{%- endif -%}
    {%- elif param_spec.type == "number" or param_spec.type == "integer" -%}{{- "number" }}
    {%- else -%}{{- "any" }}{%- endif -%}
{%- endmacro -%}
{%- macro render_ns(name, tools) -%}
    {{- "## " + name + "\n\nnamespace " + name + " {\n\n" }}
    {%- for tool in tools %}
        {%- set tool = tool.function %}
        {{- "// " + tool.description + "\n" }}{{- "type "+ tool.name + " = " }}
        {%- if tool.parameters and tool.parameters.properties %}
            {{- "(_: {\n" }}
            {%- for param_name, param_spec in tool.parameters.properties.items() %}
                {%- if param_spec.description %}{{- "// " + param_spec.description + "\n" }}{%- endif %}
                {{- param_name }}{%- if param_name not in (tool.parameters.required or []) -%}{{- "?" }}{%- endif -%}{{- ": " }}{{- render_type(param_spec) }}
                {%- if param_spec.default is defined -%}
                    {%- if param_spec.enum %}{{- ", // default: " + param_spec.default }}{%- elif param_spec.oneOf %}{{- "// default: " + param_spec.default }}{%- else %}{{- ", // default: " + param_spec.default|tojson }}{%- endif -%}
                {%- endif -%}{%- if not loop.last %}{{- ",\n" }}{%- else %}{{- "\n" }}{%- endif -%}
            {%- endfor %}{{- "}) => any;\n\n" }}
        {%- else -%}{{- "() => any;\n\n" }}{%- endif -%}
    {%- endfor %}{{- "} // namespace " + name }}
{%- endmacro -%}
{%- if tools -%}{{- render_ns("functions", tools) }}{%- endif -%}
{%- set last_tool_call = namespace(name=none) -%}
{%- for message in messages -%}
    {%- if message.role == 'assistant' -%}
        {%- if "content" in message and message.content is not none -%}
            {%- if "<|channel|>analysis<|message|>" in message.content -%}{{- raise_exception("You have passed a message containing <|channel|> tags in the content field.") }}{%- endif -%}
        {%- endif -%}
        {%- if "tool_calls" in message and message.tool_calls -%}
            {%- set tool_call = message.tool_calls[0] -%}{%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif -%}
            {{- "<|start|>assistant to=" }}{{- "functions." + tool_call.name + "<|channel|>commentary " }}{{- (tool_call.content_type if tool_call.content_type is defined else "json") + "<|message|>" }}{{- tool_call.arguments|tojson }}{{- "<|call|>" }}
            {%- set last_tool_call.name = tool_call.name -%}
        {%- elif loop.last and not add_generation_prompt -%}{{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|return|>" }}
        {%- else -%}{{- "<|start|>assistant<|channel|>final<|message|>" ~ message.content ~ "<|end|>" }}{%- endif -%}
    {%- elif message.role == 'tool' -%}
        {%- if last_tool_call.name is none -%}{{- raise_exception("Message has tool role, but there was no previous assistant message with a tool call!") }}{%- endif -%}
        {{- "<|start|>functions." + last_tool_call.name }}{{- " to=assistant<|channel|>commentary<|message|>" + message.content|tojson + "<|end|>" -}}
    {%- elif message.role == 'user' -%}{{- "<|start|>user<|message|>" + message.content + "<|end|>" }}{%- endif -%}
{%- endfor -%}""",
# calls as python, types as python's, documents
r"""{%- macro json_to_python_type(json_spec) %}
{%- set basic_type_map = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"} %}
{%- if basic_type_map[json_spec.type] is defined %}
    {{- basic_type_map[json_spec.type] }}
{%- elif json_spec.type == "array" %}
    {{- "List[" + json_to_python_type(json_spec.items) + "]"}}
{%- elif json_spec.type == "object" %}
    {%- if json_spec.additionalProperties is defined %}{{- "Dict[str, " + json_to_python_type(json_spec.additionalProperties) + ']'}}{%- else %}{{- "dict" }}{%- endif %}
{%- elif json_spec.type is iterable %}
    {{- "Union[" }}{%- for t in json_spec.type %}{{- json_to_python_type({"type": t}) }}{%- if not loop.last %}{{- "," }}{%- endif %}{%- endfor %}{{- "]" }}
{%- else %}{{- "Any" }}{%- endif %}
{%- endmacro %}
{%- macro old_tool_parser(tools) %}
{%- for tool in tools %}{%- if loop.index0 != 0 %}{{- '\n\n' }}{%- endif %}
{{- '```python\ndef ' + tool.function.name + '(' }}
{%- for param_name, param_fields in tool.function.parameters.properties|items %}{%- if loop.index0 != 0 %}{{- ', '}}{%- endif %}
{{- param_name + ': ' }}{%- if not param_name in tool.function.parameters.required %}{{- 'Optional[' + json_to_python_type(param_fields) + '] = None'}}{%- else %}{{- json_to_python_type(param_fields) }}{%- endif %}
{%- endfor %}{{- ') -> List[Dict]:\n    """'}}{{- tool.function.description }}{{- '"""\n    pass\n```' }}
{%- endfor %}{%- endmacro %}
{{- old_tool_parser(tools or []) }}
{%- for doc in documents or [] %}{{ '\nDocument: ' ~ loop.index0 }}{% for key, value in doc.items() %}{{ '\n' ~ key ~ ': ' ~ value }}{% endfor %}{% endfor %}
{%- for message in messages|rejectattr('role', 'eq', 'tool') %}
{%- if loop.previtem is defined and loop.previtem.role == message.role %}{{ '\n[same]' }}{% endif %}
{{ '%-10s' % message.role }}|{{ '{:>3}'.format(loop.index) }}|{{ (message.content or '') | replace('\n', '\\n') | indent(2) }}
{%- if not loop.last %},{% endif %}
{%- endfor %}""",
# generation blocks, flags of thinking out of the system's text
r"""{%- set think = namespace(on=true) -%}
{%- if messages[0].role == "system" -%}
  {%- set sys = messages[0].content -%}
  {%- if "/no_think" in sys -%}{%- set think.on = false -%}{%- elif "/think" in sys -%}{%- set think.on = true -%}{%- endif -%}
  {%- set custom = sys.replace("/no_think", "").replace("/think", "").rstrip() -%}
{%- endif -%}
{{- "<|im|>system\n" ~ (custom | default("none")) ~ "\nMode: " ~ ("/think" if think.on else "/no_think") ~ "\n" -}}
{%- if tools or xml_tools is defined -%}{%- set ns = namespace(s="Tools:\n") -%}{%- for tool in tools -%}{%- set ns.s = ns.s ~ (tool | string)[:20] ~ "\n" -%}{%- endfor -%}{{- ns.s -}}{%- endif -%}
{%- for message in messages -%}
  {%- set content = message.content if message.content is string else "" -%}
  {%- if message.role == "user" -%}{{ "<|im|>" + message.role + "\n" + content + "<|/im|>\n" }}
  {%- elif message.role == "assistant" -%}
    {% generation %}
    {%- if think.on -%}{{ "<|im|>assistant\n" + content.lstrip("\n") + "<|/im|>\n" }}{%- else -%}{{ "<|im|>assistant\n<think>\n\n</think>\n" + content.lstrip("\n") + "<|/im|>\n" }}{%- endif -%}
    {% endgeneration %}
  {%- endif -%}
{%- endfor -%}""",
# small things that templates lean on
r"""{%- set roles = messages | map(attribute='role') | list -%}{{ roles | unique | join(',') }}|{{ roles.index('user') }}|{{ messages | selectattr('tool_calls', 'defined') | list | length }}|{{ (messages | last).role }}|{{ messages | groupby('role') | map('first') | join('/') }}
{% for m in messages if m.role in ['user', 'assistant'] %}{{ loop.cycle('a', 'b') }}{{ loop.length }}{{ loop.revindex }}{{ ' ' if not loop.last }}{% else %}none{% endfor %}
{% set x %}{% for m in messages %}{{ m.role[0] }}{% endfor %}{% endset %}{{ x | upper }}{% filter trim | replace('u', 'U') %}  ux  {% endfilter %}
{% with a = 1, b = [1, 2] %}{{ a + b[-1] }}{% endwith %}{{ dict(a=1, **{'b': 2}) | tojson }}{{ [[1, 2], [3]] | sum(start=[]) }}
{{ messages[0].get('name', 'nobody') }}{{ messages[-1]['missing'] is undefined }}{{ (messages[0].content | length > 3) | int }}{{ '%s=%r' | format('k', 'v') }}
{% call(y) wrap('[') %}{{ y }}!{% endcall %}{% macro wrap(l) %}{{ l }}{{ caller(1) }}]{% endmacro %}""",
r"""{%- macro wrap(l) -%}{{ l }}{{ caller(varargs | length) }}{{ kwargs | dictsort | tojson }}{%- endmacro -%}
{%- call(y) wrap('[', 2, 3, k=4) -%}{{ y }}{%- endcall -%}
{%- for k, v in {'b': 1, 'a': {'c': [1, none, true]}} | dictsort -%}{{ k }}={{ v }};{%- endfor -%}
{%- for row in messages | batch(2, 'pad') -%}({{ row | map(attribute='role') | map('default', '-') | join('+') }}){%- endfor -%}
{{- messages | tojson(indent=2) | length }}{{ tools | tojson | safe | length if tools else 0 }}
{%- set ns = namespace(n=0) -%}{%- for m in messages -%}{%- if m.content is none -%}{%- continue -%}{%- endif -%}{%- set ns.n = ns.n + (m.content | wordcount) -%}{%- if ns.n > 5 -%}{%- break -%}{%- endif -%}{%- endfor -%}{{ ns.n }}
{{- 'yes' if 'user' in messages | map(attribute='role') else 'no' }}{{ "a" "b" ~ 1 ~ none ~ true }}{{ 7 // 2 }}{{ 7 / 2 }}{{ -7 % 3 }}{{ 2 ** 10 }}{{ 1 < 2 < 3 }}{{ not a is defined }}""",
]


TOOLS = [{"type":"function","function":{"name":"get_weather","description":"Weather \"now\" <é>","parameters":{"type":"object","properties":{"city":{"type":"string","description":"a city"},"days":{"type":"integer","default":3},"unit":{"type":"string","enum":["c","f"],"default":"c"},"tags":{"type":"array","items":{"type":"string"}},"pts":{"type":"array","items":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}},"any":{"oneOf":[{"type":"string","description":"s"},{"type":"object","default":None}]},"opt":{"type":["string","null"]}},"required":["city"]}}},{"type":"function","function":{"name":"noop","description":"d","parameters":{"type":"object","properties":{}}}}]
TALKS = {
 'plain':[{"role":"user","content":"Hi there"},{"role":"assistant","content":"<think>\nhm\n</think>\n\nHello"},{"role":"user","content":"  Bye \n"}],
 'sys':[{"role":"system","content":"Be brief. /no_think "},{"role":"user","content":"Q"},{"role":"assistant","content":"A"},{"role":"user","content":"R"}],
 'tools':[{"role":"system","content":"S"},{"role":"user","content":"Weather?"},{"role":"assistant","content":None,"tool_calls":[{"type":"function","id":"abcdefghi","function":{"name":"get_weather","arguments":{"city":"Zürich <&>","days":2,"f":1.5,"n":None,"t":True}}}]},{"role":"tool","content":"sunny","tool_call_id":"abcdefghi","name":"get_weather"},{"role":"tool","content":"12","tool_call_id":"abcdefghi"},{"role":"assistant","content":"Sunny."},{"role":"user","content":"thanks"}],
 'parts':[{"role":"user","content":[{"type":"text","text":" a "},{"type":"image"}]},{"role":"assistant","content":"ok"}],
 'bad':[{"role":"assistant","content":"x"},{"role":"assistant","content":"y"}],
}
