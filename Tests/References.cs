using System.Reflection;
using System.Reflection.Emit;

namespace Tapegrad.Tests;

/// <summary>What a type mentions, read from what was compiled: signatures and method bodies.</summary>
internal static class References
{
    private const BindingFlags All =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<int,
        OpCode> Codes = typeof(OpCodes).GetFields().Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value & 0xFFFF);

    /// <summary>The types that a type mentions.</summary>
    public static HashSet<Type> Of(Type type)
    {
        var found = new HashSet<Type>();
        Add(found, type.BaseType);
        foreach (var used in type.GetInterfaces()) Add(found, used);
        foreach (var used in type.GetGenericArguments()) Add(found, used);
        foreach (var field in type.GetFields(All)) Add(found, field.FieldType);
        foreach (var method in type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)))
        {
            AddMember(found, method);
            if (method.GetMethodBody() is not { } body) continue;
            foreach (var local in body.LocalVariables) Add(found, local.LocalType);
            foreach (var clause in body.ExceptionHandlingClauses)
                if (clause.Flags == ExceptionHandlingClauseOptions.Clause) Add(found, clause.CatchType);
            foreach (var member in InBody(method, body.GetILAsByteArray()!)) AddMember(found, member);
        }
        return found;
    }

    /// <summary>The methods and fields that the bodies of a type's methods use.</summary>
    public static IEnumerable<MemberInfo> MembersUsedBy(Type type) =>
        type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)).SelectMany(method =>
            method.GetMethodBody() is { } body ? InBody(method, body.GetILAsByteArray()!) : []).Where(member =>
            member is MethodBase or FieldInfo);

    private static void Add(HashSet<Type> found, Type? type)
    {
        if (type is null || !found.Add(type)) return;
        if (type.HasElementType) Add(found, type.GetElementType());
        if (type.IsGenericParameter)
            foreach (var constraint in type.GetGenericParameterConstraints()) Add(found, constraint);
        foreach (var argument in type.GetGenericArguments()) Add(found, argument);
    }

    private static void AddMember(HashSet<Type> found, MemberInfo member)
    {
        Add(found, member as Type ?? member.DeclaringType);
        if (member is FieldInfo field) Add(found, field.FieldType);
        if (member is not MethodBase method) return;
        foreach (var parameter in method.GetParameters()) Add(found, parameter.ParameterType);
        if (method is MethodInfo { ReturnType: var result }) Add(found, result);
        if (method.IsGenericMethod)
            foreach (var argument in method.GetGenericArguments()) Add(found, argument);
    }

    // Walks through the instructions; those with a token mention a type, a method or a field.
    private static IEnumerable<MemberInfo> InBody(MethodBase method, byte[] code)
    {
        var typeArguments = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null;
        var methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        for (var at = 0; at < code.Length;)
        {
            var instruction = code[at] == 0xFE ? Codes[0xFE00 | code[at + 1]] : Codes[code[at]];
            at += instruction.Size;
            switch (instruction.OperandType)
            {
                case OperandType.InlineType or OperandType.InlineMethod or OperandType.InlineField
                    or OperandType.InlineTok:
                    yield return method.Module.ResolveMember(BitConverter.ToInt32(code, at), typeArguments,
                        methodArguments)!;
                    at += 4;
                    break;
                case OperandType.InlineSwitch:
                    at += 4 + 4 * BitConverter.ToInt32(code, at);
                    break;
                case OperandType.InlineNone:
                    break;
                case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar:
                    at += 1;
                    break;
                case OperandType.InlineVar:
                    at += 2;
                    break;
                case OperandType.InlineI8 or OperandType.InlineR:
                    at += 8;
                    break;
                default:
                    at += 4;
                    break;
            }
        }
    }
}
