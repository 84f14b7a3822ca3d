/** @file The grammar of expressions, argument lists and indices; and where a line ends, which is a question of expressions. */

import { CstParser } from "chevrotain";
import type { CstNode, IToken, ParserMethod, TokenType } from "chevrotain";
import { expectations } from "./messages.ts";
import * as t from "./tokens.ts";

export type Rule = ParserMethod<[], CstNode>;

const OPENERS: ReadonlySet<TokenType> = new Set([t.LeftParen, t.LeftBracket, t.LeftBrace]);

/** The rules that `Grammar` builds on; only that class is ever instantiated. */
export abstract class ExpressionGrammar extends CstParser {
  /** Tokens that begin a line while no `(` or `[` is open: there `(`, `[` and `-` begin something new. */
  private fresh: ReadonlySet<IToken> = new Set();

  constructor() {
    super(t.TOKENS, {
      recoveryEnabled: true,
      maxLookahead: 2,
      nodeLocationTracking: "full",
      errorMessageProvider: expectations,
    });
  }

  /** Prepares for one file. */
  load(tokens: IToken[], fresh: ReadonlySet<IToken>): void {
    this.fresh = fresh;
    this.input = tokens;
  }

  protected continues(): boolean {
    const next = this.LA(1);
    const bound = next.tokenType === t.Minus || next.tokenType === t.LeftParen || next.tokenType === t.LeftBracket;
    return !(bound && this.fresh.has(next));
  }

  /** May another item of a list follow? After a comma or the opening bracket, or, the comma forgotten, on the same line. */
  protected itemMayFollow(): boolean {
    const last = this.LA(0);
    if (last.tokenType === t.Comma || OPENERS.has(last.tokenType)) return true;
    return this.sameLine();
  }

  protected sameLine(): boolean {
    return (this.LA(0).endLine ?? 0) === (this.LA(1).startLine ?? 0);
  }

  /** Operands and operators in a row; `build-expr.ts` applies the precedences. One rule for all levels keeps the stack
   *  of a deeply nested expression short. */
  readonly expression: Rule = this.RULE("expression", () => {
    this.SUBRULE(this.operand);
    this.MANY({
      GATE: () => this.continues(),
      DEF: () => {
        this.CONSUME(t.BinaryOperatorToken);
        this.SUBRULE2(this.operand);
      },
    });
  });

  readonly operand: Rule = this.RULE("operand", () => {
    this.MANY(() => this.OR([{ ALT: () => this.CONSUME(t.Minus) }, { ALT: () => this.CONSUME(t.NotWord) }]));
    this.SUBRULE(this.atom);
    this.MANY2({
      GATE: () => this.continues(),
      DEF: () =>
        this.OR2([
          { ALT: () => this.SUBRULE(this.args) },
          { ALT: () => this.SUBRULE(this.indices) },
          { ALT: () => this.SUBRULE(this.member) },
        ]),
    });
  });

  readonly atom: Rule = this.RULE("atom", () => {
    this.OR([
      { ALT: () => this.CONSUME(t.NameToken) },
      { ALT: () => this.CONSUME(t.NumberToken) },
      { ALT: () => this.CONSUME(t.StringToken) },
      { ALT: () => this.CONSUME(t.TrueWord) },
      { ALT: () => this.CONSUME(t.FalseWord) },
      { ALT: () => this.SUBRULE(this.paren) },
    ]);
  });

  readonly paren: Rule = this.RULE("paren", () => {
    this.CONSUME(t.LeftParen);
    this.MANY({
      GATE: () => this.itemMayFollow(),
      DEF: () => {
        this.SUBRULE(this.expression);
        this.OPTION(() => this.CONSUME(t.Comma));
      },
    });
    this.CONSUME(t.RightParen);
  });

  readonly args: Rule = this.RULE("args", () => {
    this.CONSUME(t.LeftParen);
    this.MANY({
      GATE: () => this.itemMayFollow(),
      DEF: () => {
        this.SUBRULE(this.arg);
        this.OPTION(() => this.CONSUME(t.Comma));
      },
    });
    this.CONSUME(t.RightParen);
  });

  readonly arg: Rule = this.RULE("arg", () => {
    this.OPTION(() => {
      this.CONSUME(t.NameToken);
      this.OR([{ ALT: () => this.CONSUME(t.Colon) }, { ALT: () => this.CONSUME(t.Equals) }]);
    });
    this.SUBRULE(this.expression);
  });

  readonly indices: Rule = this.RULE("indices", () => {
    this.CONSUME(t.LeftBracket);
    this.MANY({
      GATE: () => this.itemMayFollow(),
      DEF: () => {
        this.SUBRULE(this.indexItem);
        this.OPTION(() => this.CONSUME(t.Comma));
      },
    });
    this.CONSUME(t.RightBracket);
  });

  readonly indexItem: Rule = this.RULE("indexItem", () => {
    this.OR([
      {
        ALT: () => {
          this.SUBRULE(this.expression);
          this.OPTION(() => this.SUBRULE(this.sliceRest));
        },
      },
      { ALT: () => this.SUBRULE2(this.sliceRest) },
    ]);
  });

  readonly sliceRest: Rule = this.RULE("sliceRest", () => {
    this.CONSUME(t.Colon);
    this.OPTION(() => this.SUBRULE(this.expression));
  });

  readonly member: Rule = this.RULE("member", () => {
    this.CONSUME(t.Dot);
    this.CONSUME(t.NameToken);
  });
}
