/** The rights of the page's credential. The server checks them again; the page leaves out what it would refuse. */
import { useQuery } from "@apollo/client/react";
import { graphql } from "../gql";

const Rights = graphql(`
  query Rights {
    credential {
      uid
      scopes
    }
  }
`);

export interface Rights {
  uid: number;
  /** True for an administrator whose credential has the scope `admin`. */
  admin: boolean;
  mayWrite(entity: string): boolean;
}

/** Null until the rights are known. */
export function useRights(): Rights | null {
  const credential = useQuery(Rights).data?.credential;
  if (!credential) return null;
  const { uid, scopes } = credential;
  return {
    uid,
    admin: scopes.includes("admin"),
    mayWrite: (entity) => scopes.includes("write") || scopes.includes(`${entity}:write`),
  };
}
