// OpenAI's SDK for Go against the gateway: answers, a stream, a tool, and what each refusal is to its user.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// How often the SDK asked, its own retries included.
type counting struct{ asked int }

func (c *counting) RoundTrip(request *http.Request) (*http.Response, error) {
	c.asked++
	return http.DefaultTransport.RoundTrip(request)
}

func say(name string, value any) {
	line, _ := json.Marshal(map[string]any{"case": name, "said": value})
	fmt.Println(string(line))
}

func main() {
	base := os.Args[1]
	ctx := context.Background()
	client := func(key string) (*openai.Client, *counting) {
		transport := &counting{}
		c := openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey(key), option.WithHTTPClient(&http.Client{Transport: transport}))
		return &c, transport
	}
	hello := openai.ChatCompletionNewParams{
		Model:               "gpt-4o",
		MaxCompletionTokens: openai.Int(100),
		Messages:            []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Note it.")},
	}

	agent, _ := client(os.Getenv("AGENT"))
	asked := hello
	asked.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name:       "note",
		Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"text": map[string]any{"type": "string"}}},
	})}
	answer, err := agent.Chat.Completions.New(ctx, asked)
	if err != nil {
		say("tool", err.Error())
		os.Exit(1)
	}
	call := answer.Choices[0].Message.ToolCalls[0]
	say("tool", call.Function.Arguments)
	asked.Messages = append(asked.Messages, answer.Choices[0].Message.ToParam(), openai.ToolMessage("noted", call.ID))
	stream := agent.Chat.Completions.NewStreaming(ctx, asked)
	text := ""
	for stream.Next() {
		if choices := stream.Current().Choices; len(choices) > 0 {
			text += choices[0].Delta.Content
		}
	}
	say("answer", text)
	if err := stream.Err(); err != nil {
		say("answer", err.Error())
	}

	for _, refused := range []struct{ name, key, model string }{
		{"key", "no-key-of-this-gateway", "gpt-4o"},
		{"model", os.Getenv("AGENT"), "gpt-nothing"},
		{"budget", os.Getenv("POOR"), "gpt-4o"},
		{"rate", os.Getenv("HOURLY"), "gpt-4o"},
	} {
		c, transport := client(refused.key)
		asked := hello
		asked.Model = refused.model
		if refused.name == "rate" {
			_, _ = c.Chat.Completions.New(ctx, asked)
			transport.asked = 0
		}
		_, err := c.Chat.Completions.New(ctx, asked)
		var told *openai.Error
		if errors.As(err, &told) {
			say(refused.name, map[string]any{"status": told.StatusCode, "code": told.Code, "message": told.Message, "asked": transport.asked})
		} else {
			say(refused.name, fmt.Sprint(err))
		}
	}
}
