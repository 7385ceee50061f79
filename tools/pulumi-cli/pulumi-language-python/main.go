// A language host for Python, for machines that have the CLI of this module and no install of Pulumi.
//
// Pulumi's own host is a Go module that the proxy doesn't serve since sdk v3.79. This one is the glue alone: which
// Python runs a program, and how its environment is looked at, is decided by Pulumi's own package
// sdk/v3/python/toolchain from the options of Pulumi.yaml, and the program is started by Pulumi's own script
// pulumi-language-python-exec, which the build puts beside this binary. What only `pulumi new`, `package` and `convert`
// ask for is left out.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The exit code by which the script says that the user has seen the error already.
const shown = 32

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine string
	script string
}

func main() {
	flag.Parse()
	itself, err := os.Executable()
	if err != nil {
		cmdutil.Exit(err)
	}
	serving := &host{
		engine: flag.Arg(0),
		script: filepath.Join(filepath.Dir(itself), "pulumi-language-python-exec"),
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, serving)
			return nil
		},
	})
	if err != nil {
		cmdutil.Exit(err)
	}
	fmt.Printf("%d\n", handle.Port) // how the engine learns where to call
	if err := <-handle.Done; err != nil {
		cmdutil.Exit(err)
	}
}

func toolchainOf(info *pulumirpc.ProgramInfo) (toolchain.Toolchain, error) {
	options := toolchain.PythonOptions{Root: info.GetRootDirectory(), ProgramDir: info.GetProgramDirectory()}
	given := info.GetOptions().AsMap()
	if virtualenv, ok := given["virtualenv"].(string); ok {
		options.Virtualenv = virtualenv
	}
	switch given["toolchain"] {
	case nil, "pip":
		options.Toolchain = toolchain.Pip
	case "uv":
		options.Toolchain = toolchain.Uv
	case "poetry":
		options.Toolchain = toolchain.Poetry
	default:
		return nil, fmt.Errorf("unknown toolchain %v", given["toolchain"])
	}
	return toolchain.ResolveToolchain(options)
}

func (*host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

func (*host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// GetRequiredPackages says which providers the environment's packages stand for: pulumi-gcp for gcp.
func (*host) GetRequiredPackages(
	ctx context.Context, request *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	chain, err := toolchainOf(request.GetInfo())
	if err != nil {
		return nil, err
	}
	if err := chain.ValidateVenv(ctx); err != nil {
		return nil, err
	}
	installed, err := chain.ListPackages(ctx, true)
	if err != nil {
		return nil, err
	}
	answer := &pulumirpc.GetRequiredPackagesResponse{}
	for _, each := range installed {
		name, ok := strings.CutPrefix(each.Name, "pulumi-")
		if !ok || name == "policy" {
			continue
		}
		answer.Packages = append(answer.Packages,
			&pulumirpc.PackageDependency{Name: name, Kind: "resource", Version: "v" + each.Version})
	}
	return answer, nil
}

// Run starts the program in its environment and waits for its end.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	chain, err := toolchainOf(request.GetInfo())
	if err != nil {
		return nil, err
	}
	if err := chain.ValidateVenv(ctx); err != nil {
		return nil, err
	}
	command, err := chain.Command(ctx, append([]string{h.script}, h.arguments(request)...)...)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(request.GetConfig())
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	command.Env = append(inherited(command), "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secrets))
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return outcome(command.Run())
}

func (h *host) arguments(request *pulumirpc.RunRequest) []string {
	arguments := []string{
		"--monitor", request.GetMonitorAddress(),
		"--engine", h.engine,
		"--project", request.GetProject(),
		"--root_directory", request.GetInfo().GetRootDirectory(),
		"--stack", request.GetStack(),
		"--pwd", request.GetPwd(),
		"--dry_run", fmt.Sprint(request.GetDryRun()),
		"--parallel", fmt.Sprint(request.GetParallel()),
		"--organization", request.GetOrganization(),
		request.GetInfo().GetEntryPoint(),
	}
	return append(arguments, request.GetArgs()...)
}

func outcome(err error) (*pulumirpc.RunResponse, error) {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &ended) && ended.ExitCode() == shown:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case errors.As(err, &ended):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with code %d", ended.ExitCode())}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program could not be started: %v", err)}, nil
	}
}

// RunPlugin starts a policy pack (or another plugin written in Python) and hands on what it prints.
func (*host) RunPlugin(
	request *pulumirpc.RunPluginRequest, stream pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	chain, err := toolchainOf(request.GetInfo())
	if err != nil {
		return err
	}
	// The folder is run as a program, as `python policy` would.
	command, err := chain.Command(stream.Context(),
		append([]string{"-u", request.GetInfo().GetProgramDirectory()}, request.GetArgs()...)...)
	if err != nil {
		return err
	}
	command.Dir = request.GetPwd()
	command.Env = append(inherited(command), request.GetEnv()...)
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(stream, false)
	if err != nil {
		return err
	}
	defer closer.Close()
	command.Stdout, command.Stderr = stdout, stderr
	err = command.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return stream.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(ended.ExitCode())},
		})
	}
	if err != nil {
		return err
	}
	return closer.Close()
}

// inherited is the environment that the toolchain has prepared, or our own where it leaves that to us.
func inherited(command *exec.Cmd) []string {
	if command.Env != nil {
		return command.Env
	}
	return os.Environ()
}
