"""The types in ATen's signatures, as the lean headers have them: for `harness.build.operators`."""

from __future__ import annotations

# A parameter's type in torch's wrappers -> ours, and how an argument goes on to the entry point.
TYPES = {
    "const at::Tensor &": ("const Tensor&", "{}.handle()"),
    "at::Tensor &": ("Tensor&", "{}.handle()"),
    "const ::std::optional<at::Tensor> &": ("const OptionalTensor&", "{}.borrow()"),
    "at::TensorList": ("TensorList", "BorrowedList({}).tensors()"),
    "const at::ITensorListRef &": ("TensorList", "BorrowedList({}).either()"),
    "at::IntArrayRef": ("IntArrayRef", "{}"),
    "at::OptionalIntArrayRef": ("const OptionalIntArrayRef&", "{}.value"),
    "const at::Scalar &": ("const Scalar&", "{}"),
    "const ::std::optional<at::Scalar> &": ("const OptionalScalar&", "{}.value"),
    "int64_t": ("int64_t", "{}"),
    "double": ("double", "{}"),
    "bool": ("bool", "{}"),
    "at::ScalarType": ("ScalarType", "{}"),
    "at::MemoryFormat": ("MemoryFormat", "{}"),
    "c10::string_view": ("Text", "{}"),
    "::std::optional<c10::string_view>": ("const OptionalText&", "{}.value"),
    "::std::optional<int64_t>": ("Maybe<int64_t>", "{}"),
    "::std::optional<double>": ("Maybe<double>", "{}"),
    "::std::optional<bool>": ("Maybe<bool>", "{}"),
    "::std::optional<at::ScalarType>": ("Maybe<ScalarType>", "{}"),
    "::std::optional<at::MemoryFormat>": ("Maybe<MemoryFormat>", "{}"),
    "::std::optional<at::Layout>": ("Maybe<Layout>", "{}"),
    "::std::optional<at::Device>": ("Maybe<Device>", "{}"),
    "::std::optional<at::Generator>": ("Maybe<Unknown>", "BorrowedOptional()"),
    "at::TensorOptions": ("const TensorOptions&", "{}"),
}

# Not ours to offer, but part of how a call is resolved: `x.sum({0, 1})` is ambiguous with some.
UNKNOWN = {
    "at::DimnameList": "ArrayRef<Unknown>",
    "::std::optional<at::DimnameList>": "Maybe<ArrayRef<Unknown>>",
    "::std::optional<at::ArrayRef<double>>": "Maybe<ArrayRef<double>>",
    "at::ArrayRef<at::Scalar>": "ArrayRef<Scalar>",
}

# A parameter's type at the entry point -> what is passed alike.
ENTRY_TYPES = {
    "const at::Tensor &": "Handle",
    "at::Tensor &": "Handle",
    "const ::std::optional<at::Tensor> &": "const BorrowedOptional&",
    "at::TensorList": "BorrowedTensors",
    "const at::ITensorListRef &": "const BorrowedEither&",
    "at::IntArrayRef": "IntArrayRef",
    "c10::SymIntArrayRef": "IntArrayRef",
    "at::OptionalIntArrayRef": "Maybe<IntArrayRef>",
    "at::OptionalSymIntArrayRef": "Maybe<IntArrayRef>",
    "const at::Scalar &": "const Scalar&",
    "const ::std::optional<at::Scalar> &": "const Maybe<Scalar>&",
    "int64_t": "int64_t",
    "c10::SymInt": "SymInt",
    "double": "double",
    "bool": "bool",
    "at::ScalarType": "ScalarType",
    "at::MemoryFormat": "MemoryFormat",
    "c10::string_view": "Text",
    "::std::optional<c10::string_view>": "Maybe<Text>",
    "::std::optional<int64_t>": "Maybe<int64_t>",
    "::std::optional<c10::SymInt>": "const Maybe<int64_t>&",
    "::std::optional<double>": "Maybe<double>",
    "::std::optional<bool>": "Maybe<bool>",
    "::std::optional<at::ScalarType>": "Maybe<ScalarType>",
    "::std::optional<at::MemoryFormat>": "Maybe<MemoryFormat>",
    "::std::optional<at::Layout>": "Maybe<Layout>",
    "::std::optional<at::Device>": "Maybe<Device>",
    "::std::optional<at::Generator>": "const BorrowedOptional&",
}

# What an entry point returns -> how that is declared, and the wrapper's own result.
RESULTS = {
    "at::Tensor": ("Returned", "Tensor"),
    "bool": ("bool", "bool"),
    "int64_t": ("int64_t", "int64_t"),
    "double": ("double", "double"),
    "void": ("void", "void"),
    "at::Scalar": ("Scalar", "Scalar"),
    "at::ScalarType": ("ScalarType", "ScalarType"),
}

PAIR = "::std::tuple<at::Tensor,at::Tensor>"
TUPLES = {
    f"::std::tuple<{','.join(['at::Tensor'] * count)}>": (
        f"ReturnedTuple<{count}>",
        f"std::tuple<{', '.join(['Tensor'] * count)}>",
    )
    for count in range(2, 6)
}
VECTORS = {"::std::vector<at::Tensor>": ("ReturnedVector", "std::vector<Tensor>")}
